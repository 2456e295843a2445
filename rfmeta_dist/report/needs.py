"""Show what a model does at each operating point, on a run's page and in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation import operating, thresholds
from rfmeta_dist.report.words import interval, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.scores import Scores

    Row = dict[str, Any]

COLUMNS = ("", "threshold", "BPCER", "worst APCER", "ORACLE BPCER", "ORACLE APCER")

NO_LIMIT = "–"


def of_evaluation(figures: Mapping[str, Any], units: Sequence[Unit]) -> dict[Unit, list[Row]]:
    """Return the rows of a page's table of operating points, by unit, from the figures of evaluation.json.

    Each row has `name`, `meaning`, `threshold`, the rates of `sources`, `target` and `oracle`, `unresolved`,
    and `kept`: whether the target keeps the limit (`yes`, `no`, `unclear` if its interval allows both, `–` if
    the point has no limit). There are no rows if the figures are from a version without operating points.
    """
    return {
        unit: [_row(name, at) for name, at in figures[unit].get("operating_points", {}).items()]
        for unit in units
    }


def _row(name: str, at: Mapping[str, Any]) -> Row:
    return {
        "name": name,
        "meaning": operating.MEANINGS.get(name, ""),  # empty for a point of a later version
        "threshold": at["threshold"],
        "sources": at["sources"],
        "target": at,
        "oracle": at["oracle"],
        "unresolved": at["unresolved"],
        "kept": _kept(name, at) if name in operating.NAMES else NO_LIMIT,
    }


def _kept(name: str, at: Mapping[str, Any]) -> str:
    """Return whether a target keeps the limit of an operating point, as far as its interval shows."""
    limit = operating.limit(name)
    if limit is None:
        return NO_LIMIT
    rate, most = at[limit[0]], limit[1]
    if rate["low"] > most:
        return "no"
    return "yes" if rate["high"] <= most else "unclear"


def of_sources(validation: Scores, units: Sequence[Unit]) -> dict[Unit, list[Row]]:
    """Return the rows of the table for a run without a target, by unit: as `of_evaluation`, without its rates.

    Args:
        validation: frame scores of the sources' validation splits.
        units: the units to show.
    """
    return {
        unit: [
            {
                "name": name,
                "meaning": operating.MEANINGS[name],
                "threshold": point.value,
                "sources": point.reached,
                "unresolved": point.unresolved,
            }
            for name, point in thresholds.points_from_sources(validation, unit).items()
        ]
        for unit in units
    }


def at(figures: Mapping[str, Any], name: str, run: str) -> dict[str, Mapping[str, Any]]:
    """Return the figures of one operating point by unit, from the figures of evaluation.json.

    Args:
        figures: the field `figures` of evaluation.json.
        name: one of `operating.NAMES`.
        run: path or URL of the run's folder, for the error.

    Raises:
        ConfigError: there is no operating point of this name.
        RunError: evaluation.json is from a version without operating points.
    """
    operating.require(name)
    try:
        return {unit: figures[unit]["operating_points"][name] for unit in UNITS}
    except KeyError:
        raise RunError(
            f"{run}/evaluation.json has no figures at the operating point {name}, because an earlier version "
            "wrote it",
            f"judge the run again: rfmeta evaluate {run}",
        ) from None


def cells(points: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return the rows of the terminal's table, videos first: cells in the order of `COLUMNS`.

    Args:
        points: from `at`.
    """
    rows: list[tuple[str, ...]] = []
    for unit in UNITS[::-1]:
        point = points[unit]
        worst, oracle = point["APCER_worst"], point["oracle"]
        accepted = f"{percent(worst['value'])} {worst['type']}\n{interval(worst)}"
        rows.append(
            (
                f"per {unit}",
                f"{point['threshold']:.4f}",
                f"{percent(point['BPCER']['value'])}\n{interval(point['BPCER'])}",
                accepted,
                percent(oracle["BPCER"]),
                f"{percent(oracle['APCER_worst']['value'])} {oracle['APCER_worst']['type']}",
            )
        )
    return rows
