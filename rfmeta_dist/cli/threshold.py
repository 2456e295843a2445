"""`rfmeta threshold`: set a model's threshold on labelled scores of one's own data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, Notices, OperatingPoint, print_json, say
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.types import Unit

if TYPE_CHECKING:
    from rfmeta_dist.detectors.api import OperatingPoint as Point
    from rfmeta_dist.detectors.api import Threshold
    from rfmeta_dist.detectors.package import Contents
    from rfmeta_dist.evaluation.own_data import Given
    from rfmeta_dist.storage.store import Store

EXAMPLES = """
[bold]Examples[/]

  rfmeta threshold runs/oci_to_m runs/oci_to_m/scores.parquet --domain M --out models/m

  rfmeta threshold models/m scores.csv --operating-point bpcer@apcer5 --out models/shop

The first uses the scores that rfmeta evaluate wrote for the run's target M, the second a table of your own.
The model that was given stays as it is. The new one has the same weights, another threshold, and the hash of
the model that it comes from. Its figures on the same scores flatter, so judge it on other people.
"""


def threshold(
    model: Annotated[
        str,
        typer.Argument(help="A run's folder, or the folder of a model, local or s3://…", show_default=False),
    ],
    scores: Annotated[
        str,
        typer.Argument(
            help="Table of this model's scores, parquet or CSV, with the columns of a run's scores.parquet: "
            "key, domain, split, subject, video, attack_type, label (1 live, 0 attack) and score.",
            show_default=False,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(help="Folder for the model with the new threshold; it must be empty.", show_default=False),
    ],
    operating_point: OperatingPoint = "eer",
    unit: Annotated[
        Unit, typer.Option(help="Whether the threshold is for the scores of videos or of single frames.")
    ] = "video",
    domain: Annotated[
        list[str] | None,
        typer.Option(help="Use only the scores of this domain; may be repeated. All domains if not given."),
    ] = None,
    json: Json = False,
) -> None:
    """Set a model's threshold on labelled scores of your own data, and write the model that decides so."""
    from rfmeta_dist.detectors import package
    from rfmeta_dist.evaluation import operating, own_data

    operating.require(operating_point)
    notices = Notices()
    parent = package.read(package_of(model))
    given = _read(scores)
    if not own_data.require_scorer(given, parent):
        notices.tell(
            "the table does not say which model gave its scores; the threshold is wrong if it was another than "
            f"{parent.url}"
        )
    taken = own_data.take(given.scores, domain or (), parent)
    new, points = own_data.threshold(taken, unit, operating_point)
    chosen = points[operating_point]
    if chosen.unresolved:
        notices.tell(f"too few recordings for {operating_point}: {chosen.unresolved}")
    folder = _write(out, parent, new, points)
    if json:
        print_json(
            {
                "model": folder.url,
                "parent": parent.sha256,
                "unit": unit,
                "operating_point": operating_point,
                "threshold": new.value,
                "before": parent.thresholds[unit].value,
                "source": new.source,
                "origin": chosen.origin,
                "reached": chosen.reached,
                "unresolved": chosen.unresolved,
                "notices": notices,
            }
        )
        return
    _tell(folder, parent, new, chosen)


def package_of(model: str) -> Store:
    """Return the folder of a package: the given one, or `model` in the folder of a run.

    Raises:
        RunError: there is none in either.
    """
    from rfmeta_dist.detectors.package import ABOUT
    from rfmeta_dist.storage.store import open_store

    folder = open_store(model)
    found = next((place for place in (folder, folder.sub("model")) if place.exists(ABOUT)), None)
    if found is None:
        raise RunError(
            f"there is no model at {folder.url}, neither as {ABOUT} nor as model/{ABOUT}",
            "give the folder of a trained run or of a model; if the run's training has not finished, give its "
            "`rfmeta train` command again",
        )
    return found


def _read(scores: str) -> Given:
    from rfmeta_dist.evaluation.own_data import read_scores
    from rfmeta_dist.storage.store import open_store

    place, _, name = scores.rpartition("/")
    if not name:
        raise ConfigError(f"{scores} is a folder, not a table of scores", "give the path of a file")
    return read_scores(open_store(place or ("/" if scores.startswith("/") else ".")).read(name), name)


def _write(out: str, parent: Contents, new: Threshold, points: dict[str, Point]) -> Store:
    """Write the new model, which keeps the parent's threshold and points for the other unit."""
    from rfmeta_dist.detectors import package
    from rfmeta_dist.storage.store import open_store

    folder = open_store(out)
    kept = {**parent.thresholds, new.unit: new}
    package.save_child(folder, parent, list(kept.values()), {**parent.operating_points, new.unit: points})
    return folder


def _tell(folder: Store, parent: Contents, new: Threshold, chosen: Point) -> None:
    at = chosen.reached
    other = "frame" if new.unit == "video" else "video"
    say(
        f"the model with the new threshold is at {folder.url}; it accepts a {new.unit} as live if its score is "
        f"at least {new.value:.4f} (before: {parent.thresholds[new.unit].value:.4f})",
        f"on these scores it rejects {100 * at['BPCER']:.1f} % of live {new.unit}s and accepts "
        f"{100 * at['APCER_worst']['value']:.1f} % of attacks of type {at['APCER_worst']['type']}, the worst. "
        "These figures flatter, because the threshold was set on the same scores",
        f"its threshold for a {other} is the one it had before",
    )
