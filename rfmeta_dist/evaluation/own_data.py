"""Set a model's threshold on a user's own labelled scores."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import read_parquet
from rfmeta_dist.detectors.api import OperatingPoint, Threshold
from rfmeta_dist.evaluation import operating, rates, thresholds
from rfmeta_dist.evaluation.given import TURNED_BELOW
from rfmeta_dist.evaluation.scores import SCORER, Scores, coded

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow as pa

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.detectors.package import Contents


class Given(NamedTuple):
    """A table of scores as a user gave it.

    Attributes:
        scores: the frames.
        scorer: the model that gave the scores (`Package.scorer`); "" if the table does not say.
    """

    scores: Scores
    scorer: str


def read_scores(data: bytes, name: str) -> Given:
    """Read a table of frame scores with the columns of a run's scores.parquet.

    Args:
        data: the file.
        name: the file's name. It is read as CSV if the name ends in `.csv`, otherwise as parquet.

    Raises:
        DataError: the table cannot be read, lacks a column or has no rows, or the scores are not valid.
    """
    table = _csv(data, name) if name.lower().endswith(".csv") else _parquet(data, name)
    scores = Scores.from_table(table)
    if not len(scores):
        raise DataError(f"{name} has no rows", "give a table with a row for each scored frame")
    scorer = (table.schema.metadata or {}).get(SCORER.encode(), b"")
    return Given(scores, scorer.decode(errors="replace"))


def _parquet(data: bytes, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        return read_parquet(data)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{name} cannot be read as parquet ({error})",
            "give the scores.parquet that `rfmeta evaluate` writes, or a table whose name ends in .csv",
        ) from error


def _csv(data: bytes, name: str) -> pa.Table:
    import pyarrow as pa

    # Arrow's reader of CSV files starts a thread that may outlive the read (core/parquet.py).
    remedy = "write a line with the names of the columns, then a line for each frame, with commas between cells"
    try:
        rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        header = next(rows, [])
        cells = [row for row in rows if row]
    except (ValueError, csv.Error) as error:
        raise DataError(f"{name} cannot be read as CSV ({error})", remedy) from error
    width = len(header)
    if not width or any(len(row) != width for row in cells):
        found = "not all lines have as many cells as the first" if width else "its first line is empty"
        raise DataError(f"{name} cannot be read as CSV ({found})", remedy)
    # An empty cell is a missing value, except where it says that nothing is known of a recording.
    missing = ["" if name == "about" else None for name in header]
    columns = [pa.array([row[at] or missing[at] for row in cells], pa.string()) for at in range(width)]
    return pa.table(columns, names=header)


def take(given: Scores, domains: Collection[str], model: Contents) -> Scores:
    """Return the scores that a threshold is set on, after checking that they can be this model's.

    Args:
        given: frame scores.
        domains: the domains to take; all if empty.
        model: the model whose threshold is set.

    Raises:
        DataError: a domain has no scores, a row occurs twice, a score is outside [0, 1], a class is missing,
            live faces score lower than attacks, or the model was trained on some of the rows.
    """
    present = coded(given.domain)[0]
    absent = sorted(set(domains) - set(present))
    if absent:
        raise DataError(
            f"the table has no scores of {', '.join(absent)}", f"choose from its domains: {', '.join(present)}"
        )
    import numpy as np

    scores = given.select(np.isin(given.domain, sorted(domains))) if domains else given
    _refuse_twice(scores)
    outside = (scores.score < 0) | (scores.score > 1)
    if outside.any():
        raise DataError(
            f"{outside.sum()} of {len(scores)} scores are not in [0, 1]; the first is "
            f"{scores.score[outside][0]} for {scores.key[outside][0]}, and no model of this package gives it",
            "give the scores that `rfmeta evaluate` writes for this model",
        )
    for label, kind in ((1, "live"), (0, "attack")):
        if not (scores.label == label).any():
            raise DataError(
                f"the scores have no {kind} sample, so no threshold can be set on them",
                "give scores of live faces and of attacks",
            )
    area = rates.auc(scores.label, scores.score)
    if area < TURNED_BELOW:
        raise DataError(
            f"attacks score higher than live faces (AUC {area:.2f}), so these scores seem to be of a model for "
            "which higher means attack",
            "give scores for which higher means live, such as those that `rfmeta evaluate` writes",
        )
    _refuse_trained_on(scores, model)
    return scores


def _refuse_twice(scores: Scores) -> None:
    keys = scores.key.tolist()
    if len(set(keys)) < len(keys):
        seen: set[str] = set()
        twice = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DataError(
            f"{len(keys) - len(set(keys))} rows of the table repeat the key of another; the first is {twice}",
            "give each frame once, with a key of its own",
        )


def _refuse_trained_on(scores: Scores, model: Contents) -> None:
    sources = set(model.about.get("config", {}).get("data", {}).get("sources", ()))
    seen = [s in sources and split == "train" for s, split in zip(scores.domain, scores.split, strict=True)]
    if any(seen):
        raise DataError(
            f"{sum(seen)} rows are of the training split of {', '.join(sorted(set(scores.domain[seen])))}, and "
            "the model was trained on this split, so its errors there are too low to set a threshold",
            "give scores of people whom the model has not seen",
        )


def require_scorer(given: Given, model: Contents) -> bool:
    """Check that a table of scores is of a model. Return False if the table does not say whose scores it holds.

    `rfmeta evaluate` writes into scores.parquet a hash of all that the scores depend on: the weights, and how
    faces are cut out and resized. A model that differs from the given one only in its thresholds passes.

    Raises:
        DataError: the scores are of another model.
    """
    if given.scorer and given.scorer != model.scorer:
        raise DataError(
            f"these scores are of another model than {model.url}: their model has the hash "
            f"{given.scorer[:12]}…, this one {model.scorer[:12]}…",
            "score your data with this model: `rfmeta evaluate` writes scores.parquet",
        )
    return bool(given.scorer)


def threshold(scores: Scores, unit: Unit, name: str) -> tuple[Threshold, dict[str, OperatingPoint]]:
    """Return the threshold of an operating point on a user's scores, and those of all operating points.

    Args:
        scores: frame scores (`take`).
        unit: `frame` to decide on frames, `video` to decide on videos by the mean score of their frames.
        name: one of `operating.NAMES`.

    Raises:
        ConfigError: there is no operating point of this name.
        DataError: frames of one video have different labels.
    """
    operating.require(name)
    splits = ", ".join(coded(scores.split)[0])
    points = thresholds.points_from(
        scores, unit, f"own scores of {', '.join(coded(scores.domain)[0])} ({splits})"
    )
    chosen = points[name]
    count = len(scores.per(unit))
    source = (
        f"operating point {name} on {chosen.origin['data']}: {count:,} {unit}s of "
        f"{chosen.origin['subjects']:,} people, set by `rfmeta threshold`"
    )
    return Threshold(chosen.value, unit, source, float(chosen.reached["HTER"])), points
