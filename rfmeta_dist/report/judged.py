"""Prepare what all pages with the figures of judged scores show: of a run's target, or of anyone's table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.types import UNITS
from rfmeta_dist.evaluation.rates import APCER_LIMITS
from rfmeta_dist.report import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfmeta_dist.core.types import Unit

    Row = dict[str, Any]

SHOWN_UNITS = UNITS[::-1]  # videos first, because a deployed system decides on videos


@dataclass(frozen=True)
class Wording:
    """How a page calls the things that it shows.

    Attributes:
        where: the samples that were judged: a target's name, or `the test rows`.
        origin: where the threshold is from, after the word `threshold`: `from the sources`.
        column: the same in the head of a column.
        target: the samples that were judged, in short.
        sources: the samples that the threshold was chosen on, in short.
        others: the scores that the threshold was chosen on: `the sources’ validation splits`; "" if there are
            none.
    """

    where: str
    origin: str
    column: str
    target: str
    sources: str
    others: str


def context(figures: Mapping[str, Any], wording: Wording) -> dict[str, Any]:
    """Return the variables of the templates `separation` and `error_rates`, without the plots.

    Args:
        figures: from `figures.compute` or `given_figures.compute`.
        wording: how the page calls things.
    """
    return {
        "figures": figures,
        "units": units(figures),
        "honest": "HTER" in figures["video"],
        "wording": wording,
        "scale": _scale(figures),
        "rates": _rates(figures),
    }


def units(figures: Mapping[str, Any]) -> tuple[Unit, ...]:
    """Return the units to show: only videos if each has a single frame, because the figures are equal then."""
    if "frame" not in figures or figures["frame"]["counts"] == figures["video"]["counts"]:
        return SHOWN_UNITS[:1]
    return SHOWN_UNITS


def rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """Return the table of all figures for a terminal: a name, and the figure in percent for each unit."""
    of = [figures[unit] for unit in units(figures)]
    shown: list[list[str]] = []

    def add(name: str, values: list[Row]) -> None:
        shown.append([name, *(words.with_interval(value) for value in values)])

    for name in ("HTER", "AUC"):
        if name in of[0]:
            add(name, [f[name] for f in of])
    add("ORACLE EER", [f["oracle_EER"] for f in of])
    if "optimism_gap" in of[0]:
        add("optimism gap", [f["optimism_gap"] for f in of])
    for what, name, values in _rates(figures):
        kind = what.partition(": ")[2]
        if name != "AUC":
            add({"APCER": f"APCER {kind}"}.get(name, f"ORACLE {name}" if "ORACLE" in what else name), values)
    return shown


def _scale(figures: Mapping[str, Any]) -> float:
    """Return the right end of the scale of interval marks: the smallest round value that fits all of them."""
    shown = [figures[u][name] for u in units(figures) for name in ("HTER", "oracle_EER") if name in figures[u]]
    ends = [figure["value"] if figure["high"] is None else figure["high"] for figure in shown]
    return next(end for end in (0.1, 0.25, 0.5, 1.0) if end >= max(ends) or end == 1.0)


def _rates(figures: Mapping[str, Any]) -> list[tuple[str, str, list[Row]]]:
    """Return the rows of the table of error rates: a description, the figure's name, its value per unit."""
    of = [figures[unit] for unit in units(figures)]
    limits = {f"{at:.2f}": f"{100 * at:.0f}{words.NARROW_SPACE}%" for at in APCER_LIMITS}
    rows = []
    if "HTER" in of[0]:
        rows += [
            ("Live rejected", "BPCER", [f["BPCER"] for f in of]),
            *(
                (f"Attacks accepted: {kind}", "APCER", [f["APCER"][kind] for f in of])
                for kind in of[0]["APCER"]
            ),
            ("Attacks accepted, worst attack type", "worst APCER", [f["APCER_worst"] for f in of]),
            ("Mean of worst APCER and BPCER", "ACER", [f["ACER"] for f in of]),
        ]
    return [
        *rows,
        ("Area under the ROC, any threshold", "AUC", [f["AUC"] for f in of]),
        *(
            (
                f"ORACLE: live rejected if at most {shown} of each attack type is accepted",
                f"BPCER at APCER {shown}",
                [f["BPCER_at_APCER"][limit] for f in of],
            )
            for limit, shown in limits.items()
        ),
    ]
