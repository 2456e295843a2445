"""Check that scores can be those of a model, and set the model's threshold on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.detectors.api import OperatingPoint, Threshold
from rfmeta_dist.evaluation import operating, thresholds
from rfmeta_dist.evaluation.given_figures import Fixed
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Collection

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.deploy.package import Deployment
    from rfmeta_dist.detectors.package import Contents
    from rfmeta_dist.evaluation.given import Given
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.evaluation.tables import Table

    Model = Contents | Deployment  # both hold thresholds for the scores of one model


def of_model(given: Given, model: Model) -> Scores:
    """Return the rows to judge with the scores that a model gave them, after checking that it can have done so.

    A model of this package gives scores in [0, 1], and a higher one means live. If higher means attack in the
    table, the table's scores are taken as 1 − the model's.

    Args:
        given: scores from a user's table.
        model: the model.

    Raises:
        DataError: a score is outside [0, 1], or the model was trained on some of the rows.
    """
    scores = replace(given.test, score=given.test.score + 1) if given.turned else given.test
    outside = (scores.score < 0) | (scores.score > 1)
    if outside.any():
        written = 1 - scores.score[outside][0] if given.turned else scores.score[outside][0]
        raise DataError(
            f"{outside.sum():,} of {len(scores):,} scores are not in [0, 1]; the first is {written:.6g} for "
            f"{scores.key[outside][0]}, and no model of this package gives it",
            "give the scores that `rfmeta evaluate` or `rfmeta score` writes for this model",
        )
    _refuse_trained_on(scores, model)
    return scores


def _refuse_trained_on(scores: Scores, model: Model) -> None:
    configured = model.about.get("config", {}).get("data", {}).get("sources", ())
    sources = {*configured, *(model.about.get("data") or ())}  # a deployment package has no configuration
    seen = [s in sources and split == "train" for s, split in zip(scores.domain, scores.split, strict=True)]
    if any(seen):
        raise DataError(
            f"{sum(seen)} rows are of the training split of {', '.join(sorted(set(scores.domain[seen])))}, and "
            "the model was trained on this split, so its errors there are too low",
            "give scores of people whom the model has not seen",
        )


def require_scorer(table: Table, model: Model) -> bool:
    """Check that a table of scores is of a model. Return False if the table does not say whose scores it holds.

    `rfmeta evaluate` writes into scores.parquet a hash of all that the scores depend on: the weights, and how
    faces are cut out and resized. A model that differs from the given one only in its thresholds passes.

    Raises:
        DataError: the scores are of another model.
    """
    if table.scorer and table.scorer != model.scorer:
        raise DataError(
            f"these scores are of another model than {model.url}: their model has the hash "
            f"{table.scorer[:12]}…, this one {model.scorer[:12]}…",
            "give the model that gave these scores, or score your data with this one: `rfmeta evaluate` for a "
            "trained model, `rfmeta score` for a deployment package",
        )
    return bool(table.scorer)


def stored(model: Model, point: str | None, units: Collection[Unit], *, turned: bool) -> dict[Unit, Fixed]:
    """Return the thresholds that are stored in a model, by unit, as they are in a table of its scores.

    Args:
        model: the model.
        point: one of `operating.NAMES`; None for the thresholds that the model decides at.
        units: the units to return a threshold for.
        turned: True if higher means attack in the table, whose scores are then 1 − the model's.

    Raises:
        ConfigError: there is no operating point of this name.
        RunError: the model has no threshold for this operating point and a unit.
    """
    found: dict[Unit, Fixed] = {}
    for unit in units:
        if point is None:
            value, origin, unresolved = model.thresholds[unit].value, model.thresholds[unit].source, ""
        else:
            at = model.operating_points.get(unit, {}).get(operating.require(point))
            if at is None:
                raise RunError(
                    f"the model at {model.url} stores no threshold of a {unit} for {point}, because an earlier "
                    "version trained it",
                    "leave --operating-point out, or set the threshold on scores of your own: "
                    f"`rfmeta threshold --unit {unit}`",
                )
            value, unresolved = at.value, at.unresolved
            origin = f"operating point {point} on {at.origin['data']}"
        found[unit] = Fixed(
            1 - value if turned else value, f"stored in {model.url}: {origin}", point, unresolved
        )
    return found


def threshold(
    scores: Scores, unit: Unit, name: str, table: Table, *, people: bool
) -> tuple[Threshold, dict[str, OperatingPoint]]:
    """Return the threshold of an operating point on a user's scores, and those of all operating points.

    Args:
        scores: frame or video scores, both classes present (`of_model`).
        unit: `frame` to decide on frames, `video` to decide on videos by the mean score of their frames.
        name: one of `operating.NAMES`.
        table: the table that the scores are from.
        people: True if the scores tell whom they show. If False, `origin` has no `subjects`.

    Raises:
        ConfigError: there is no operating point of this name.
        DataError: frames are asked for, but each video of the table has one row that is not called a frame.
    """
    operating.require(name)
    _require_unit(scores, unit, table)
    domains = ", ".join(coded(scores.domain)[0])
    splits = ", ".join(coded(scores.split)[0])
    points = thresholds.points_from(scores, unit, f"own scores of {domains or table.name} ({splits})")
    count, of_people = len(scores.per(unit)), ""
    if people:
        of_people = f" of {points[name].origin['subjects']:,} people"
    else:
        points = {point: replace(found, origin=_without_people(found)) for point, found in points.items()}
    chosen = points[name]
    source = (
        f"operating point {name} on {chosen.origin['data']}: {count:,} {unit}s{of_people}, "
        "set by `rfmeta threshold`"
    )
    return Threshold(chosen.value, unit, source, float(chosen.reached["HTER"])), points


def _without_people(point: OperatingPoint) -> dict[str, object]:
    return {field: value for field, value in point.origin.items() if field != "subjects"}


def _require_unit(scores: Scores, unit: Unit, table: Table) -> None:
    frames = bool({"frame", "key"} & table.columns.keys()) or len(scores.per_video()) < len(scores)
    if unit == "frame" and not frames:
        raise DataError(
            f"{table.name} has one row for each video and no column frame or key, so no scores of frames",
            "give the scores of frames, or leave --unit frame out",
        )
