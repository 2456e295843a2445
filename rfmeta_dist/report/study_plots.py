"""Draw the plots of a study's page as SVG text, one of each kind for a target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from rfmeta_dist.report.importance import Importance
from rfmeta_dist.report.plots import BLUE, GREEN, GREY, ORANGE, as_svg, new_figure, styled
from rfmeta_dist.tuning.translate import ABSENT, at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from rfmeta_dist.config.distribution import Distribution
    from rfmeta_dist.config.study import Study
    from rfmeta_dist.tuning.view import Entry, View

Style = dict[str, Any]
OUTSIDE = -0.15  # where parallel coordinates show a value that is not in the space, or not set
LIGHT = "#b9bec4"
_MARK: Style = {"markersize": 5, "linestyle": "none"}


def history(study: Study, view: View, chosen: Entry | None, name: str) -> str:
    """Draw each candidate's score by its number, the best score so far, and the base.

    Args:
        study: the study.
        view: what the target knows.
        chosen: the candidate that is marked as chosen.
        name: prefix of this plot's ids, different from that of other plots on the page.
    """
    with styled(name):
        figure = new_figure(4.4, 3.0)
        axes = figure.subplots()
        complete = {e.candidate.number: 100 * e.value for e in view.entries if e.value is not None}
        stopped = {
            e.candidate.number: _last(e) for e in view.entries if e.value is None and e.rungs and not e.failed
        }
        _base(axes, view)
        if complete:
            best = _running(complete, lowest=study.metric == "hter")
            end = max(e.candidate.number for e in view.entries)
            axes.step([*best, end], [*best.values(), list(best.values())[-1]], where="post", color=BLUE)
            axes.plot([], [], color=BLUE, label="best so far")
        axes.plot(*_points(complete), "o", color=BLUE, label="to the end", **_MARK)
        if stopped:
            hollow: Style = {"markerfacecolor": "white", "label": "stopped early or not at its end"}
            axes.plot(*_points(stopped), "o", color=GREY, **hollow, **_MARK)
        if failed := [e.candidate.number for e in view.entries if e.failed]:
            heights = axes.get_xaxis_transform()
            at_top: Style = {"transform": heights, "label": "failed", **_MARK}
            axes.plot(failed, [0.97] * len(failed), "x", color=ORANGE, **at_top)
        if chosen is not None and chosen.value is not None:
            ring: Style = {
                "markerfacecolor": "none",
                "markersize": 10,
                "markeredgewidth": 1.8,
                "linestyle": "none",
            }
            axes.plot([chosen.candidate.number], [100 * chosen.value], "o", color=ORANGE, **ring, label="best")
        _whole_numbers(axes)
        axes.set(xlabel="number of the candidate", ylabel=_label(study), title=f"Target {view.target}")
        _legend(axes)
        return as_svg(figure, name)


def rungs(study: Study, view: View, chosen: Entry | None, name: str) -> str:
    """Draw each candidate's score over the steps. The line of a stopped candidate ends where it stopped."""
    with styled(name):
        figure = new_figure(4.4, 3.0)
        axes = figure.subplots()
        for entry in sorted(view.entries, key=lambda e: (e.value is not None, e is chosen)):
            scores = {step: 100 * score for step, score in entry.told.rungs.items()}
            if not scores:
                continue
            style = _line(entry, chosen)
            axes.plot(*_points(scores), marker="o", markersize=3.5, **style)
        for colour, width, label in (
            (ORANGE, 2.4, "best"),
            (BLUE, 1.2, "to the end"),
            (LIGHT, 1.0, "others"),
        ):
            if label != "best" or chosen is not None:
                axes.plot([], [], color=colour, linewidth=width, label=label)
        axes.set_xticks([*study.search.rungs, study.base.training.steps])
        axes.set(xlabel="step", ylabel=_label(study), title=f"Target {view.target}")
        _legend(axes)
        return as_svg(figure, name)


def importance(target: str, found: Importance, names: Mapping[str, str], name: str) -> str:
    """Draw each field's share of the importance as a bar, and what it would get by chance as a mark."""
    fields = list(found.shares)[::-1]
    with styled(name):
        figure = new_figure(4.4, 0.9 + 0.32 * len(fields))
        axes = figure.subplots()
        for place, field in enumerate(fields):
            above = found.shares[field] > found.chance[field]
            axes.barh(place, 100 * found.shares[field], height=0.55, color=BLUE if above else LIGHT)
            mark = min(100 * found.chance[field], 100)
            axes.plot([mark, mark], [place - 0.38, place + 0.38], color="black", linewidth=1.4)
        axes.set_yticks(range(len(fields)), [names[field] for field in fields])
        axes.set_xlim(0, 102)
        axes.set(xlabel="share, %", title=f"Target {target}, at step {found.step}")
        return as_svg(figure, name)


def parallel(study: Study, view: View, chosen: Entry | None, names: Mapping[str, str], name: str) -> str:
    """Draw each candidate as a line through its value of each field and its last score."""
    fields = list(study.space)
    last = {e.candidate.number: _last(e) for e in view.entries if e.rungs and math.isfinite(_last(e))}
    low, high = min(last.values(), default=0.0), max(last.values(), default=0.0)
    with styled(name):
        figure = new_figure(max(4.4, 1.1 * (len(fields) + 1)), 3.2)
        axes = figure.subplots()
        outside, base = False, study.base.model_dump(mode="json")
        for entry in sorted(view.entries, key=lambda e: (e.value is not None, e is chosen)):
            if entry.candidate.number not in last:
                continue
            places = [_place(study, base, entry, field) for field in fields]
            outside |= OUTSIDE in places
            score = (last[entry.candidate.number] - low) / (high - low) if high > low else 0.5
            axes.plot([*places, score], **_line(entry, chosen))
        for place, field in enumerate(fields):
            _axis(axes, place, _labels(study.space[field]))
        _axis(axes, len(fields), {0.0: f"{low:.1f}", 1.0: f"{high:.1f}"} if high > low else {0.5: f"{low:.1f}"})
        if outside:
            axes.text(
                -0.1, OUTSIDE, "not set, or not\nin the space", fontsize=7, ha="right", va="center", color=GREY
            )
        labels = [names[field].replace("_", "_\n") for field in fields]
        axes.set_xticks(range(len(fields) + 1), [*labels, _label(study).replace(", ", ",\n")], fontsize=8)
        axes.set_xlim(-0.25, len(fields) + 0.45)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_title(f"Target {view.target}")
        return as_svg(figure, name)


def _place(study: Study, base: Any, entry: Entry, field: str) -> float:
    """Return where the axis of a field shows a candidate's value: from 0 to 1, or `OUTSIDE`."""
    given = study.space[field]
    value = entry.candidate.values.get(field, ABSENT)
    if not entry.candidate.values:
        value = at(base, field)
    if not given.contains(value):
        return OUTSIDE
    if given.kind == "choice":
        return given.values.index(value) / max(1, given.count - 1)
    low, high = given.values
    if given.kind == "loguniform":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low)) if high > low else 0.5


def _labels(given: Distribution) -> dict[float, str]:
    """Return the texts at the axis of a field, by their place."""
    if given.kind == "choice":
        return {i / max(1, given.count - 1): _short(value) for i, value in enumerate(given.values)}
    low, high = given.values
    return {0.0: f"{low:g}", 1.0: f"{high:g}"}


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 14 else f"{text[:13]}…"


def _axis(axes: Axes, place: int, labels: Mapping[float, str]) -> None:
    axes.axvline(place, color=GREY, linewidth=0.8, ymin=0.0)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
    for height, text in labels.items():
        axes.text(place + 0.04, height, text, fontsize=7.5, va="center", bbox=box, zorder=6)


def _line(entry: Entry, chosen: Entry | None) -> Style:
    """Return the style of a candidate's line: thick if it is chosen, dashed if it is not complete."""
    if entry is chosen:
        return {"color": ORANGE, "linewidth": 2.4, "zorder": 5}
    if entry.value is not None:
        return {"color": BLUE, "linewidth": 1.2, "alpha": 0.8}
    return {"color": LIGHT, "linewidth": 1.0, "linestyle": "--"}


def _base(axes: Axes, view: View) -> None:
    base = view.entries[0].value if view.entries else None
    if base is not None:
        axes.axhline(100 * base, color=GREEN, linestyle="-.", linewidth=1, label="the base")


def _last(entry: Entry) -> float:
    """Return the mean over folds at the last step at which a candidate was judged, in percent."""
    return 100 * mean(entry.folds.values())


def _running(scores: Mapping[int, float], *, lowest: bool) -> dict[int, float]:
    """Return the best score of all candidates up to each."""
    best: dict[int, float] = {}
    so_far = math.inf if lowest else -math.inf
    for number, score in sorted(scores.items()):
        so_far = min(so_far, score) if lowest else max(so_far, score)
        best[number] = so_far
    return best


def _points(values: Mapping[int, float]) -> tuple[Sequence[int], Sequence[float]]:
    return list(values), list(values.values())


def _label(study: Study) -> str:
    return f"{study.metric.upper()} over folds, %"


def _legend(axes: Axes) -> None:
    axes.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
