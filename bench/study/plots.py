"""Draw the study's two plots as SVG files, with the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.study.collect import BASELINES, Results
from bench.study.design import Arm
from bench.study.statistics import Estimate
from rfmeta_dist.report.plots import BLUE, GREEN, GREY, ORANGE, PINK

COLOURS = {"plain": GREY, "no_meta": "#000000", "first_order": GREEN, "aggregate": PINK, "rfmeta": ORANGE}
MARKS = {"plain": "s", "no_meta": "o", "first_order": "^", "aggregate": "v", "rfmeta": "D"}
ASIDE = 0.012  # horizontal distance between rules at one rho, so that their intervals do not overlap
STYLE = {
    "font.family": "DejaVu Sans",  # part of matplotlib, so that the layout is the same everywhere
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "study",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "legend.frameon": False,
}


def draw(results: Results, folder: Path) -> list[str]:
    """Write `auc.svg` and `differences.svg` if there are numbers for them. Return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        plots = {"auc.svg": _against_rho(results), "differences.svg": _differences(results)}
        for name, figure in plots.items():
            if figure:
                metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
                figure.savefig(folder / name, format="svg", metadata=metadata, facecolor="white")
    return [name for name, figure in plots.items() if figure]


def _against_rho(results: Results) -> Figure | None:
    kinds = results.grid.trained
    figure = Figure(figsize=(3.6 * len(kinds) + 1.6, 4.0), layout="constrained")
    panels: Any = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, trained in zip(panels, kinds, strict=True):
        for place, method in enumerate(results.grid.methods):
            means = [(rho, results.mean(Arm(rho, trained, method), "AUC")) for rho in results.grid.rhos]
            _draw_rule(axes, means, method, ASIDE * (place - (len(results.grid.methods) - 1) / 2))
        axes.set_title(f"trained on {trained} domains")
        axes.set_xlabel("rho: how strongly spurious cues follow the label")
        axes.set_xticks(list(results.grid.rhos))
    if not any(axes.get_legend_handles_labels()[1] for axes in panels):
        return None
    panels[0].set_ylabel("AUC per video on the sealed target, %")
    panels[0].legend()
    return figure


def _draw_rule(axes: Any, found: Sequence[tuple[float, Estimate | None]], method: str, aside: float) -> None:
    points = [(rho, e) for rho, e in found if e]
    if not points:
        return
    x = [rho + aside for rho, _ in points]
    y = [100 * e.value for _, e in points]
    ends = [[100 * (e.value - e.low) for _, e in points], [100 * (e.high - e.value) for _, e in points]]
    colour, mark = COLOURS[method], MARKS[method]
    axes.errorbar(x, y, ends, fmt=f"{mark}-", color=colour, markersize=5, capsize=2, linewidth=1, label=method)


def _differences(results: Results) -> Figure | None:
    shown = [c for c in results.comparisons if c.figure == "AUC"]
    panels_of = {f"less {b}": [c for c in shown if c.baseline == replace(c.arm, method=b)]
                 for b in BASELINES}  # fmt: skip
    panels_of["drawn less named"] = [c for c in shown if c.arm.trained != c.baseline.trained]
    filled = {title: mine for title, mine in panels_of.items() if mine}
    if not filled:
        return None
    rows = max(map(len, filled.values()))
    figure = Figure(figsize=(4.2 * len(filled), 0.9 + 0.26 * rows), layout="constrained")
    panels: Any = figure.subplots(1, len(filled), sharex=True, squeeze=False)[0]
    for axes, (title, mine) in zip(panels, filled.items(), strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        labels = []
        for place, c in enumerate(mine):
            d = c.difference
            colour = BLUE if c.significant else GREY
            x = 100 * d.value
            ends = [[100 * (d.value - d.low)], [100 * (d.high - d.value)]]
            face = colour if c.significant else "white"
            axes.errorbar(
                [x], [place], xerr=ends, fmt="o", color=colour, markerfacecolor=face, markersize=5, capsize=2
            )
            kind = f", {c.arm.trained}" if c.arm.trained == c.baseline.trained else ""
            labels.append(f"{c.arm.method}{kind}, rho {c.arm.rho:g}")
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.set_title(title)
        axes.set_xlabel("points of AUC; filled: significant")
    return figure
