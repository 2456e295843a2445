"""The study's two plots as SVG files, the same bytes for the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.study.collect import BASELINES, Results
from rfmeta_dist.report.plots import BLUE, GREEN, GREY, ORANGE, PINK

COLOURS = {"plain": GREY, "no_meta": "#000000", "first_order": GREEN, "aggregate": PINK, "rfmeta": ORANGE}
MARKS = {"plain": "s", "no_meta": "o", "first_order": "^", "aggregate": "v", "rfmeta": "D"}
ASIDE = 0.012  # between the rules at one rho, so that their intervals do not hide each other
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same layout everywhere
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
    """Write `auc.svg` and `differences.svg`, those that there are numbers for; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        plots = {"auc.svg": _against_rho(results), "differences.svg": _differences(results)}
        for name, figure in plots.items():
            if figure:
                metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
                figure.savefig(folder / name, format="svg", metadata=metadata, facecolor="white")
    return [name for name, figure in plots.items() if figure]


def _against_rho(results: Results) -> Figure | None:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    methods = results.grid.methods
    for place, method in enumerate(methods):
        found = [(rho, results.mean(rho, method, "AUC")) for rho in results.grid.rhos]
        points = [(rho, e) for rho, e in found if e]
        if not points:
            continue
        x = [rho + ASIDE * (place - (len(methods) - 1) / 2) for rho, _ in points]
        y = [100 * e.value for _, e in points]
        ends = [[100 * (e.value - e.low) for _, e in points], [100 * (e.high - e.value) for _, e in points]]
        colour, mark = COLOURS[method], MARKS[method]
        axes.errorbar(
            x, y, ends, fmt=f"{mark}-", color=colour, markersize=5, capsize=2, linewidth=1, label=method
        )
    if not axes.get_legend_handles_labels()[1]:
        return None
    axes.set_title("AUC on the sealed target, mean over targets and seeds")
    axes.set(xlabel="rho: how strongly spurious cues follow the label", ylabel="AUC per video, %")
    axes.set_xticks(list(results.grid.rhos))
    axes.legend()
    return figure


def _differences(results: Results) -> Figure | None:
    shown = [c for c in results.comparisons if c.figure == "AUC"]
    if not shown:
        return None
    rows = max(sum(c.baseline == baseline for c in shown) for baseline in BASELINES)
    figure = Figure(figsize=(7.2, 0.9 + 0.26 * rows), layout="constrained")
    panels: Any = figure.subplots(1, len(BASELINES), sharex=True, squeeze=False)[0]
    for axes, baseline in zip(panels, BASELINES, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        labels = []
        mine = [c for c in shown if c.baseline == baseline]
        for place, c in enumerate(mine):
            d = c.difference
            colour = BLUE if c.significant else GREY
            x = 100 * d.value
            ends = [[100 * (d.value - d.low)], [100 * (d.high - d.value)]]
            face = colour if c.significant else "white"
            axes.errorbar(
                [x], [place], xerr=ends, fmt="o", color=colour, markerfacecolor=face, markersize=5, capsize=2
            )
            labels.append(f"{c.method}, rho {c.rho:g}")
        axes.set_yticks(range(len(labels)), labels)
        axes.invert_yaxis()
        axes.set_title(f"less {baseline}")
        axes.set_xlabel("points of AUC; filled: significant")
    return figure
