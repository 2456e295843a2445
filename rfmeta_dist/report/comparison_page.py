"""Make the page of a comparison: figures, differences with verdicts, a cross-check, and published figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist import __version__
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.report import comparison_text, plots, published
from rfmeta_dist.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.report.comparison import Comparison
    from rfmeta_dist.report.contestants import Contestant


def page(comparison: Comparison, found: Sequence[Contestant]) -> str:
    """Return a self-contained HTML page.

    Args:
        comparison: what is shown.
        found: the runs that were compared, for their ROC curves and the list of folders.
    """
    return (
        environment()
        .get_template("compare.html.jinja")
        .render(
            version=__version__,
            traces=[trace_id()],
            comparison=comparison,
            text=comparison_text,
            deciding=[d for d in comparison.differences if d.verdict],
            rows=comparison_text.rows(comparison, lambda text: f"\x02{text}"),
            panels=_panels(comparison, found),
            published=published,
            runs=[(one.method, one.run.target, str(one.run.seed), one.given) for one in found],
            bands=len(comparison.methods) <= plots.BANDS and any(f.std is not None for f in comparison.figures),
        )
    )


def _panels(comparison: Comparison, found: Sequence[Contestant]) -> list[dict[str, str]]:
    """Return a panel of ROC curves for each target: its title, its plot, and a text that says the same."""
    panels = []
    for number, (target, split) in enumerate(comparison.splits.items()):
        by_method: dict[str, list[plots.Judgement]] = {}
        for one in found:
            if one.run.target == target:
                figures = one.record.evaluation["figures"]["video"]
                by_method.setdefault(one.method, []).append((one.videos, figures))
        styles = {method: plots.style(comparison.methods.index(method)) for method in by_method}
        areas = "; ".join(f"{method}: {plots.area(runs)}" for method, runs in by_method.items())
        panels.append(
            {
                "split": split,
                "svg": plots.target_roc(by_method, styles, f"roc-{number}"),
                "words": f"ROC of {split}, per video: live accepted against attacks accepted. {areas}",
            }
        )
    return panels
