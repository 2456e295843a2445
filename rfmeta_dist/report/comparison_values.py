"""Write a comparison as values: a dictionary that JSON can represent, or CSV with one figure to a line."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from rfmeta_dist.report import published
from rfmeta_dist.report.comparison import MEAN
from rfmeta_dist.report.comparison_text import NONE

if TYPE_CHECKING:
    from rfmeta_dist.report.comparison import Comparison, Difference

_COLUMNS = (
    "row",
    "figure",
    "method",
    "baseline",
    "target",
    "seeds",
    "value",
    "std",
    "low",
    "high",
    "confidence",
    "p_uncorrected",
    "p",
    "significant",
)


def tidy(comparison: Comparison) -> str:
    """Return all figures, differences and published figures as CSV, one to a line. Rates are fractions."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, _COLUMNS, lineterminator="\n", restval="", extrasaction="ignore")
    writer.writeheader()
    found = as_dict(comparison)
    for figure in found["figures"]:
        writer.writerow({"row": "figure", **figure, "seeds": len(figure["values"]) or None})
    for difference in found["differences"]:
        writer.writerow({"row": "difference", **difference})
    if found["published"]:
        for method, of_split in found["published"]["figures"].items():
            for name, values in of_split.items():
                target = name.partition("→")[2]
                for figure, value in zip(("HTER", "AUC"), values, strict=True):
                    row = {"figure": figure, "method": method, "target": target, "value": value}
                    writer.writerow({"row": "published on other data", **row})
    return sink.getvalue()


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as values that JSON can represent. Rates and their differences are fractions."""
    return {
        "methods": list(comparison.methods),
        "targets": [target for target in comparison.targets if target != MEAN],
        "figures": [
            {
                "figure": f.figure,
                "method": f.method,
                "target": f.target,
                "value": f.value,
                "std": f.std,
                "values": list(f.values),
                "best": f.best,
            }
            for f in comparison.figures
        ],
        "differences": [_difference(d) for d in comparison.differences],
        "delong": [
            {
                "method": c.method,
                "baseline": c.baseline,
                "target": c.target,
                "seeds": list(c.seeds),
                "difference": c.result.difference,
                "error": c.result.error,
                "p": c.result.p,
            }
            for c in comparison.checks
        ],
        "published": {"label": published.LABEL, "figures": _published()} if comparison.published else None,
        "notes": list(comparison.notes),
    }


def _difference(d: Difference) -> dict[str, Any]:
    low, high = d.interval
    return {
        "figure": d.figure,
        "method": d.method,
        "baseline": d.baseline,
        "target": d.target,
        "targets": list(d.targets),
        "pairs": d.pairs,
        "value": d.estimate.value,
        "error": d.estimate.error,
        "low": low,
        "high": high,
        "confidence": d.confidence / 100,
        "p_uncorrected": d.estimate.p,
        "p": d.verdict.p if d.verdict else None,
        "significant": d.verdict.significant if d.verdict else None,
        "verdict": d.words or None,
    }


def _published() -> dict[str, dict[str, list[float | None]]]:
    """Return the papers' HTER and AUC as fractions, by method and split; None where a paper gives none."""

    def fraction(text: str) -> float | None:
        return None if text == NONE else round(float(text) / 100, 6)

    def both(cell: str) -> list[float | None]:
        parts = cell.split(" / ")
        return [fraction(part) for part in (parts if len(parts) == 2 else [NONE, NONE])]

    return {
        method: dict(zip(published.SPLITS, map(both, cells), strict=True))
        for method, cells in published.HTER_AUC.items()
    }
