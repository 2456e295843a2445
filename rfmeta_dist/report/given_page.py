"""Make the page about the scores of a model that was not trained here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.report import judged, plots, words
from rfmeta_dist.report.histograms import Axis, histogram
from rfmeta_dist.report.judged import Wording
from rfmeta_dist.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.given import Given


def render(given: Given, result: Mapping[str, Any]) -> str:
    """Return the page as HTML.

    Args:
        given: the scores.
        result: what `rfmeta judge --json` prints: `table`, `higher_is`, `polarity`, `notes`, `figures`.
    """
    figures, wording = result["figures"], wording_of(result)
    units = judged.units(figures)
    sides = (
        {"target": given.test}
        if given.validation is None
        else {"target": given.test, "validation": given.validation}
    )
    titles = {"target": _capital(wording.where), "validation": _capital(wording.others)}
    axis = Axis.of(list(sides.values()), turned=given.turned)
    histograms = {
        unit: [
            histogram(
                scores.per(unit),
                _threshold(result, unit),
                f"{titles[side]}, per {unit}",
                f"{side}-{unit}",
                axis,
            )
            for side, scores in sides.items()
        ]
        for unit in units
    }
    return (
        environment()
        .get_template("given.html.jinja")
        .render(
            version=__version__,
            traces=[trace_id()],
            result=result,
            thresholds=[sentence(figures[unit], unit) for unit in units],
            roc=plots.roc(
                {unit: given.test.per(unit) for unit in units}, figures, wording.where, wording.origin
            ),
            histograms=histograms,
            **judged.context(figures, wording),
        )
    )


def _capital(text: str) -> str:
    """Return the text with a capital first letter. `str.capitalize` would change the other letters too."""
    return text[:1].upper() + text[1:]


def wording_of(result: Mapping[str, Any]) -> Wording:
    """Return how the page and the command call what was judged."""
    where = f"domain {result['target']}" if result["target"] else "the test rows"
    said = result["figures"]["video"]["threshold"]
    chosen = said is not None and result["figures"]["video"]["validation"] is not None
    origin = "from the validation rows" if chosen else "that was given"
    column = "from validation rows" if chosen else "given"
    others = "" if result["figures"]["video"]["validation"] is None else "the validation rows"
    return Wording(where, origin, column, where, "the validation rows", others)


def sentence(figures: Mapping[str, Any], unit: Unit) -> str:
    """Return a sentence about a unit's thresholds.

    Args:
        figures: the unit's figures.
        unit: `frame` or `video`.
    """
    oracle = f"The oracle threshold is {figures['oracle_EER']['threshold']:.6g}."
    said = figures["threshold"]
    if said is None:
        return f"Per {unit}: {oracle}"
    start = f"A {unit} is accepted as live if its score is {said['accepts']} {said['value']:.6g} "
    start += f"({said['source']}). "
    if figures["validation"]:
        start += f"HTER on these validation {unit}s is {words.percent(figures['validation']['HTER'])}. "
    return start + oracle


def _threshold(result: Mapping[str, Any], unit: Unit) -> float | None:
    """Return a unit's threshold for scores in which higher is more live."""
    said = result["figures"][unit]["threshold"]
    if said is None:
        return None
    return float(-said["value"] if result["higher_is"] == "attack" else said["value"])
