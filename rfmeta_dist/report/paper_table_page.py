"""Make the page with the tables that are compared with the RFMeta paper: one HTML file without scripts."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from rfmeta_dist import __version__
from rfmeta_dist.core.trace import trace_id
from rfmeta_dist.report import paper_table_text, published, table
from rfmeta_dist.report.bars import ablated, ablation
from rfmeta_dist.report.comparison_text import DIFFERENCES_CAPTION
from rfmeta_dist.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfmeta_dist.report.paper_table import Results


def page(results: Mapping[str, Results]) -> str:
    """Return the page as HTML.

    Args:
        results: the results by protocol, `leave-one-out` and `limited-source`, without one that has no run.
    """
    text = paper_table_text
    return (
        environment()
        .get_template("paper_table.html.jinja")
        .render(
            version=__version__,
            traces=[trace_id()],
            sections=[_section(protocol, some) for protocol, some in results.items()],
            notes=text.notes(results),
            text=text,
            published=published,
            differences_caption=DIFFERENCES_CAPTION,
            columns=table.COLUMNS,
            caption=table.CAPTION,
        )
    )


def _section(protocol: str, results: Results) -> dict[str, Any]:
    text = paper_table_text
    words = "; ".join(f"{line.title}: {text.mean_words(results, line)}" for line in ablated(results))
    return {
        "name": text.PROTOCOLS[protocol],
        "heads": text.heads(results),
        "tables": text.tables(results, protocol),
        "plot": ablation(results, f"bars-{protocol}"),
        "words": f"HTER and AUC with parts of the method left out, HTER / AUC in percent. {words}",
        "verdicts": text.difference_rows(results),
        "rows": [astuple(row) for row in text.figure_rows(results)],
        "missing": text.missing_lines(results),
        "lost": len(results.missing),
    }
