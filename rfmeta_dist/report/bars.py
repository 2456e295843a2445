"""Draw the figures of a few methods as bars, such as the paper's Figure 5, the ablation of its method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.report.paper_table import FIGURES
from rfmeta_dist.report.plots import LINES, as_svg, new_figure, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rfmeta_dist.report.paper_table import Line, Results

HATCHES = ("", "///", "...", "xx")  # so that bars can be told apart without their colours


def ablation(results: Results, name: str) -> str:
    """Draw the paper's Figure 5: its method, and what is left if a part is left out. "" without two of these.

    Args:
        results: the results of a protocol.
        name: prefix of this plot's ids, different from that of other plots on the page.
    """
    lines = ablated(results)
    return bars(results, lines, name) if len(lines) > 1 else ""


def ablated(results: Results) -> list[Line]:
    """Return the methods of the paper's Figure 5 that have results."""
    return [line for line in results.of("Figure 5") if line.figures]


def bars(results: Results, lines: Sequence[Line], name: str) -> str:
    """Draw HTER and AUC of some methods on each target and their means, with ± one deviation over seeds.

    Args:
        results: where the lines are from.
        lines: the methods, at most four, each with figures.
        name: prefix of this plot's ids, different from that of other plots on the page.
    """
    with styled(name):
        figure = new_figure(8.2, 4.6)
        panels = figure.subplots(len(FIGURES), 1, sharex=True)
        width = 0.8 / len(lines)
        for axes, rate in zip(panels, FIGURES, strict=True):
            for number, line in enumerate(lines):
                places, heights, deviations = [], [], []
                for position, target in enumerate(results.targets):
                    found = line.figures.get((rate, target))
                    if found is None:
                        continue
                    places.append(position + (number - (len(lines) - 1) / 2) * width)
                    heights.append(100 * found.value)
                    deviations.append(100 * (found.std or 0.0))
                axes.bar(
                    places,
                    heights,
                    width * 0.92,
                    yerr=deviations if any(deviations) else None,
                    color=LINES[number][0],
                    hatch=HATCHES[number],
                    edgecolor="white",
                    ecolor="#333333",
                    label=line.title,
                )
            axes.set(ylabel=f"{rate}, %")
        names = [results.splits.get(target, target) for target in results.targets]
        panels[-1].set_xticks(range(len(names)), names)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=len(lines), frameon=False)
        return as_svg(figure, name)
