"""Draw the plots of a report as SVG text. The bytes are reproducible, and no plot relies on colour alone."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any

from rfmeta_dist.evaluation import rates
from rfmeta_dist.report.words import NARROW_SPACE, mean_and_deviation, percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.evaluation.scores import Scores

    Style = tuple[str, str]  # a colour and a kind of line
    Judgement = tuple[Scores, Mapping[str, Any]]  # the target's videos of a run, and its figures per video
    Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

# Colours of Okabe & Ito (2008), which readers with the common kinds of colour blindness can distinguish.
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#6b6b6b"
LINES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PINK, ":"), ("#000000", "-"))
BANDS = 3  # methods for which a plot of ROC curves shows how the seeds spread
NOT_LOSSES = {
    "step",
    "loss",
    "meta_test",
    "domains",
    "images_per_second",
    "seconds",
    "data_seconds",
    "gradient_norm",
    "skipped",
}

_STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so the layout is the same on every machine
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text, so that it can be searched and read aloud
    "text.parse_math": False,  # a `$` in a domain's name does not start a formula
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.edgecolor": "none",
    "legend.framealpha": 1.0,
}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def as_svg(figure: Figure, name: str) -> str:
    """Return the figure as an `<svg>` element. All its ids start with `name`, so that ids on a page differ."""
    sink = io.StringIO()
    blank = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with warnings.catch_warnings():
        # Text stays text in the SVG, so the reader's browser has the glyph that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(sink, format="svg", metadata=blank)
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    return text.replace("<svg ", '<svg aria-hidden="true" ', 1)


def styled(name: str) -> Any:
    """Return a context in which all figures are drawn in the report's style; `name` is the one for `as_svg`."""
    import matplotlib as mpl

    return mpl.rc_context({**_STYLE, "svg.hashsalt": name})


def roc(scores: Mapping[Unit, Scores], figures: Mapping[str, Any], target: str, origin: str) -> str:
    """Draw the ROC curve of judged scores for each unit, with the honest and the oracle operating points.

    Args:
        scores: the scores that were judged, by unit (`frame`, `video`); higher is more live.
        figures: the result of `figures.compute`, or of `given_figures.compute`.
        target: the target's name, or another name for the samples that were judged.
        origin: where the threshold is from, such as `from the sources`.
    """
    with styled("roc"):
        figure = new_figure(4.4, 4.4)
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0], color="#bbbbbb", linewidth=0.8)
        axes.text(0.98, 0.05, "equal error", color=GREY, ha="right", va="bottom", fontsize=8)
        for (unit, s), (colour, dash) in zip(scores.items(), LINES, strict=False):
            curve = rates.roc(s.label, s.score, thin=True)
            label = f"per {unit}, AUC {percent(figures[unit]['AUC']['value'])}"
            axes.plot(curve.far, curve.tpr, dash, color=colour, label=label)
            for name, filled in (("HTER", True), ("oracle_EER", False)):
                if name in figures[unit]:
                    _point(axes, _rates_at(figures[unit], name, s), colour, filled=filled)
        if all("HTER" in figures[unit] for unit in scores):
            axes.plot([], [], "o", color=GREY, label=f"threshold {origin}")
        axes.plot([], [], "o", color=GREY, markerfacecolor="white", label="ORACLE threshold")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set(xlabel="attacks accepted (FAR)", ylabel="live accepted (1 − FRR)")
        axes.set_title(f"ROC on {target}")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
        return as_svg(figure, "roc")


def _rates_at(figures: Mapping[str, Any], name: str, scores: Scores) -> tuple[float, float]:
    """Return the shares of accepted attacks and accepted live samples at the honest or the oracle threshold."""
    if name == "HTER":
        return figures["FAR"]["value"], 1 - figures["BPCER"]["value"]
    threshold = rates.eer(scores.label, scores.score).threshold
    return rates.far(scores.label, scores.score, threshold), 1 - rates.frr(
        scores.label, scores.score, threshold
    )


def _point(axes: Axes, at: tuple[float, float], colour: str, *, filled: bool) -> None:
    face = colour if filled else "white"
    axes.plot([at[0]], [at[1]], "o", color=colour, markerfacecolor=face, markersize=7, zorder=5)


def style(number: int) -> Style:
    """Return the line of the curve with this number, from 0. Up to 20 curves differ."""
    return LINES[number % 5][0], LINES[number % 4][1]


def target_roc(methods: Mapping[str, Sequence[Judgement]], styles: Mapping[str, Style], name: str) -> str:
    """Draw the ROC curves of several methods on one target.

    With several runs of a method, the curve is the mean over the runs. A band reaches from the lowest to the
    highest run, unless there are so many methods that bands would hide the curves. Each run has a dot at its
    threshold from the sources.

    Args:
        methods: the runs of each method, with different seeds.
        styles: the line of each method.
        name: prefix of this plot's ids, different from that of other plots on the page.
    """
    with styled(name):
        # Places are given in inches, because matplotlib's layout cuts off labels beside a square and a legend.
        legend = 0.1 + 0.19 * len(methods)
        width, height = 4.4, 4.35 + legend
        figure = new_figure(width, height)
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.6 / width, (legend + 0.5) / height, 3.75 / width, 3.75 / height))
        axes.plot([0, 1], [1, 0], color="#bbbbbb", linewidth=0.8)
        axes.text(0.9, 0.01, "equal error", color=GREY, ha="right", va="bottom", fontsize=8)
        for method, runs in methods.items():
            colour, dash = styles[method]
            curves = [rates.roc(videos.label, videos.score, thin=True) for videos, _ in runs]
            far, tpr = spread([(curve.far, curve.tpr) for curve in curves])
            axes.plot(far, tpr.mean(axis=0), dash, color=colour, label=f"{method}, {area(runs)}")
            if len(runs) > 1 and len(methods) <= BANDS:
                axes.fill_between(far, tpr.min(axis=0), tpr.max(axis=0), color=colour, alpha=0.15, linewidth=0)
            for _, figures in runs:
                at = [figures["FAR"]["value"]], [1 - figures["BPCER"]["value"]]
                axes.plot(*at, "o", color=colour, markersize=5, markeredgecolor="white", zorder=5)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set(xlabel="attacks accepted (false living rate, FAR)")
        axes.set(ylabel="live accepted (true living rate, 1 − FRR)")
        figure.legend(loc="lower left", bbox_to_anchor=(0.55 / width, 0), handlelength=3, borderpad=0)
        return as_svg(figure, name)


def area(runs: Sequence[Judgement]) -> str:
    """Format the area under the ROC curves of some runs: `AUC 93.1 ± 0.4 %`."""
    return f"AUC {mean_and_deviation([figures['AUC']['value'] for _, figures in runs])}{NARROW_SPACE}%"


def spread(curves: Sequence[Curve]) -> Curve:
    """Return several ROC curves at common shares of accepted attacks, so that they can be averaged.

    A curve can rise at one share, so each share is there twice: with the lower end of the rise, and with the
    upper end. The area under the mean of the curves is thus the mean of their areas.

    Args:
        curves: R pairs of shares of accepted attacks and of accepted live faces, each rising from 0 to 1.

    Returns:
        2S shares of accepted attacks, rising; and R×2S shares of accepted live faces.
    """
    import numpy as np

    far = np.unique(np.concatenate([x for x, _ in curves]))
    both = [
        (np.interp(-far, -x[::-1], y[::-1]), np.interp(far, x, y))  # at equal x, np.interp takes the last
        for x, y in curves
    ]
    tpr = np.array([np.stack(ends, axis=1).reshape(-1) for ends in both])
    return np.repeat(far, 2), tpr


def training(metric_rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Draw the loss over the steps, raw and smoothed, and a second plot of its parts, smoothed.

    Args:
        metric_rows: one row for each step, with `step`, `loss` and other numbers. All numbers that are not in
            NOT_LOSSES are parts of the loss.

    Returns:
        One or two plots; none if there are no steps.
    """
    if not metric_rows:
        return []
    parts = sorted({k for row in metric_rows for k in row} - NOT_LOSSES)
    plots = [_curves(metric_rows, ["loss"], "Loss", "loss")]
    if parts:
        plots.append(_curves(metric_rows, parts, "Parts of the loss", "parts"))
    return plots


def _curves(rows: Sequence[Mapping[str, Any]], names: list[str], title: str, id_: str) -> str:
    import numpy as np
    from matplotlib.ticker import LogLocator, NullFormatter

    with styled(id_):
        figure = new_figure(4.4, 3.2)
        axes = figure.subplots()
        for i, name in enumerate(names):
            colour, dash = LINES[i % len(LINES)]
            # Leave out zeros, which a logarithmic axis cannot show: parts of the loss that are switched off.
            points = [(row["step"], row[name]) for row in rows if row.get(name, 0) > 0]
            step, value = np.array(points, dtype=np.float64).reshape(-1, 2).T
            if not len(step):
                continue
            stride = max(1, len(step) // 1000)  # more points than pixels would not be visible
            if len(names) == 1:
                axes.plot(step[::stride], value[::stride], color=colour, alpha=0.3, linewidth=0.8)
            axes.plot(step[::stride], _smooth(value)[::stride], dash, color=colour, label=name)
        axes.set(xlabel="step", title=title, yscale="log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        if len(names) > 1:
            axes.legend(fontsize=8)
        return as_svg(figure, id_)


def _smooth(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a running mean over about a twentieth of the steps. Near the ends, the window is cut off."""
    import numpy as np

    window = np.ones(max(1, len(value) // 20))
    mean: NDArray[np.float64] = np.convolve(value, window, "same") / np.convolve(
        np.ones(len(value)), window, "same"
    )
    return mean
