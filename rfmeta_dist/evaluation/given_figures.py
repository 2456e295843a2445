"""Compute the figures of scores that anyone's model gave: those of `figures.compute`, as far as known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.evaluation import bootstrap, figures, operating, rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.bootstrap import Resampled
    from rfmeta_dist.evaluation.given import Given
    from rfmeta_dist.evaluation.scores import Scores

NO_PEOPLE = (
    "there is no interval, because the table does not name the people, and recordings of one person are alike"
)


@dataclass(frozen=True)
class Fixed:
    """A threshold that is not chosen on the validation rows.

    Attributes:
        value: as in the table: a sample is accepted as live if its score is at least the value, or at most if
            higher means attack.
        source: where it comes from, in words.
        operating_point: one of `operating.NAMES`; None if it has no such name.
        unresolved: why it was chosen on too few recordings; "" if they were enough or if this is not known.
    """

    value: float
    source: str
    operating_point: str | None = None
    unresolved: str = ""


def compute(
    given: Given,
    point: str | None = None,
    fixed: Mapping[Unit, Fixed] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, dict[str, Any]]:
    """Compute every figure that the scores allow, as values that JSON can represent.

    The result has a part for each unit of `given.units`, with the fields of `figures.compute` and these
    differences:

        threshold    {"value", "source", "operating_point", "accepts", "unresolved"}; value is as in the table:
                     a sample is accepted as live if its score is `at least` the value, or `at most` if higher
                     means attack (`accepts`). None if there is no threshold; HTER, FAR, BPCER, ACER,
                     optimism_gap, APCER and APCER_worst are then missing
        validation   {"HTER", "FAR", "BPCER", "AUC", "live", "attack"}: rates and numbers of the validation rows
                     at the threshold; None if the threshold was not chosen on them
        low, high    None if there is no interval
        bootstrap    has "missing" if there is no interval: the reason, in words
        counts       "subjects" is None if the table does not name the people

    Args:
        given: the scores.
        point: the operating point (`operating.NAMES`) by which the threshold is chosen on the validation rows,
            for each unit; None for `eer`.
        fixed: a threshold for each unit of `given.units`; None to choose them.
        seed: seed of the bootstrap.
        resamples: number of resamples of the bootstrap.

    Raises:
        ConfigError: thresholds and an operating point are both given, or the operating point does not exist.
        DataError: an operating point is asked for, but there are no validation rows.
    """
    if point is not None and fixed is not None:
        raise ConfigError(
            f"a threshold and the operating point {point} are given, but only one can hold",
            "give --threshold or --operating-point",
        )
    if point is not None and given.validation is None:
        raise DataError(
            f"the operating point {point} is chosen on validation rows, but there are none",
            "add rows of split validation, or give a file of them with --validation; or give --threshold",
        )
    name = operating.require(point or operating.DEFAULT)
    return {
        unit: _of_unit(given, unit, name, fixed[unit] if fixed else None, (seed, resamples))
        for unit in given.units
    }


def _of_unit(
    given: Given, unit: Unit, name: str, fixed: Fixed | None, drawing: tuple[int, int]
) -> dict[str, Any]:
    scores, sign = given.test.per(unit), -1.0 if given.turned else 1.0
    chosen, validation = None, None
    said: dict[str, Any] | None = None
    if fixed is not None:
        chosen = sign * fixed.value
        said = {name: getattr(fixed, name) for name in ("operating_point", "source", "unresolved")}
    elif given.validation is not None:
        validation = given.validation.per(unit)
        chosen = operating.choose(validation, name)
        said = {
            "operating_point": name,
            "source": f"operating point {name}, chosen on {len(validation):,} validation {unit}s",
            "unresolved": operating.unresolved(validation, name),
        }
    drawn, missing = _resampled(given, scores, chosen, drawing)
    result: dict[str, Any] = {"threshold": said}
    if said is not None and chosen is not None:
        said |= {"value": sign * chosen, "accepts": "at most" if given.turned else "at least"}
        result |= figures.at_threshold(scores, chosen, drawn)
    result |= figures.without_threshold(scores, drawn)
    result["oracle_EER"]["threshold"] *= sign
    result["validation"] = None if validation is None else _validation(validation, chosen)
    result["counts"] = figures.counts(given.test, scores) | ({} if given.people else {"subjects": None})
    none = {"level": bootstrap.LEVEL, "resamples": drawing[1], "skipped": 0, "missing": missing}
    result["bootstrap"] = figures.about(drawn, drawing[1]) if drawn else none
    return result


def _resampled(
    given: Given, scores: Scores, threshold: float | None, drawing: tuple[int, int]
) -> tuple[Resampled | None, str]:
    """Return the resamples, or None with the reason why there are none."""
    if not given.people:
        return None, NO_PEOPLE
    at = rates.eer(scores.label, scores.score).threshold if threshold is None else threshold
    try:
        return bootstrap.resample(scores, at, *drawing), ""
    except DataError as error:  # too few people; the figures themselves are known
        return None, error.problem


def _validation(scores: Scores, threshold: float | None) -> dict[str, Any]:
    assert threshold is not None
    label, score = scores.label, scores.score
    return {
        "HTER": rates.hter(label, score, threshold),
        "FAR": rates.far(label, score, threshold),
        "BPCER": rates.bpcer(label, score, threshold),
        "AUC": rates.auc(label, score),
        "live": int((label == 1).sum()),
        "attack": int((label == 0).sum()),
    }
