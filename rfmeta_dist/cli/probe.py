"""`rfmeta synth probe`: measure whether background, colour and other cues reveal the label of a sample."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rfmeta_dist.cli.lists import names
from rfmeta_dist.cli.terminal import Json, print_json, progress, say, show_table

if TYPE_CHECKING:
    from rfmeta_dist.probes.leaks import Area, Probed

EXAMPLES = """
[bold]Examples[/]

  rfmeta synth probe runs/data

  rfmeta synth probe s3://bucket/faces --domains O,M --require 0.6

  rfmeta synth probe runs/data --view patches        [dim]# what a detector of data.view=patches sees[/]
"""


def probe(
    prefix: Annotated[str, typer.Argument(help="A folder or s3://… that holds domains.", show_default=False)],
    domains: Annotated[
        str | None, typer.Option(help="Domains to use, separated by commas; all if not given.")
    ] = None,
    view: Annotated[
        Literal["face", "patches"],
        typer.Option(help="Measure whole crops (face), or the 64×64 patches of data.view=patches (patches)."),
    ] = "face",
    require: Annotated[
        float | None,
        typer.Option(help="End with an error if a cue other than the control has an AUC above this value."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds and of the confidence intervals.")] = 0,
    json: Json = False,
) -> None:
    """Test whether background, colour, file size and other cues reveal which samples are live or attacks.

    A cue reveals the label if a classifier that sees this cue alone can tell live samples from attacks.
    """
    from rfmeta_dist.core.patches import Patches
    from rfmeta_dist.data.shards.manifest import domains as found
    from rfmeta_dist.data.shards.prefix import not_found
    from rfmeta_dist.probes import leaks
    from rfmeta_dist.storage.store import open_store

    store = open_store(prefix)
    asked = names(domains) or found(store)
    if not asked:
        raise not_found(store)
    with progress(json) as bars:
        task = bars.add_task("probe", total=None)
        patches = Patches() if view == "patches" else None
        results = leaks.probe(store, asked, seed, lambda samples: bars.advance(task, samples), patches)
    if json:
        print_json([asdict(result) for result in results])
    else:
        _show(results)
    if require is not None:
        leaks.require(results, require)


def _show(results: list[Probed]) -> None:
    from rfmeta_dist.probes.cues import CONTROL

    trained = ("trained on its other people", "trained on other domains")
    rows: list[tuple[str, ...] | None] = []
    for cue, group in groupby(results, key=lambda result: result.cue):
        for index, result in enumerate(group):
            title = f"{cue} (control)" if cue == CONTROL else cue
            areas = (_cell(result.within), _cell(result.across) if result.across else "")
            rows.append(("" if index else title, result.domain, *areas))
        rows.append(None)
    show_table(("cue", "judged on", *trained), rows, title="AUC [95 % interval]")
    say(
        "An AUC well above 0.5 means that the cue reveals the label on people that its classifier was not "
        "trained on. 0.5 is chance. Less than 0.5 is no leak either: the cue points the other way than in "
        "training. The control is expected to be high, because recapture changes the texture of a face."
    )


def _cell(area: Area) -> str:
    return f"{area.value:.2f} [{area.low:.2f}, {area.high:.2f}]"
