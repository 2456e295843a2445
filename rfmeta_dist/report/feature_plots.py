"""Draw features in two dimensions: a panel for each domain, the other domains in grey behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.report.plots import BLUE, GREEN, GREY, ORANGE, PINK, as_svg, new_figure, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

_LIVE_STYLE = ("o", BLUE)
_ATTACKS = (("x", ORANGE), ("+", PINK), ("^", GREEN), ("s", ORANGE), ("v", PINK), ("d", GREEN))


def panels(
    scores: Scores, points: NDArray[np.float64], axes: tuple[str, str], name: str, *, threshold: bool
) -> dict[str, str]:
    """Return an SVG plot for each domain, in the order in which the domains come first in the scores.

    All plots have the same limits, so that they can be compared. Types differ in marker and colour.

    Args:
        scores: N rows, with domain and attack type.
        points: N×2.
        axes: what the two coordinates are.
        name: prefix of the ids of the plots, different from that of other plots on the page.
        threshold: draw a line at 0 of the first coordinate, right of which a face is accepted.
    """
    import numpy as np

    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(0.05 * (high - low), 1e-6)
    limits = np.stack([low - room, high + room], axis=1)
    styles = _styles(scores)
    plots = {}
    for number, domain in enumerate(dict.fromkeys(scores.domain.tolist())):
        id_ = f"{name}-{number}"
        with styled(id_):
            figure = new_figure(3.3, 2.9)
            shown = figure.subplots()
            here = scores.domain == domain
            shown.plot(*points[~here].T, ".", color="#d0d0d0", markersize=3, zorder=1)
            if threshold:
                shown.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
            _draw(shown, scores.attack_type[here], points[here], styles)
            shown.set(xlabel=axes[0], ylabel=axes[1], xlim=tuple(limits[0]), ylim=tuple(limits[1]))
            shown.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncols=4, fontsize=7.5, handletextpad=0.1)
            plots[domain] = as_svg(figure, id_)
    return plots


def _styles(scores: Scores) -> dict[str, tuple[str, str]]:
    attacks = sorted(set(scores.attack_type.tolist()) - {LIVE})
    return {LIVE: _LIVE_STYLE} | {kind: _ATTACKS[i % len(_ATTACKS)] for i, kind in enumerate(attacks)}


def _draw(
    axes: Axes,
    kinds: NDArray[np.object_],
    points: NDArray[np.float64],
    styles: Mapping[str, tuple[str, str]],
) -> None:
    for kind, (marker, colour) in styles.items():
        some = points[kinds == kind]
        if len(some):
            drawn = axes.plot(*some.T, marker, color=colour, linestyle="none", label=kind, zorder=3)
            drawn[0].set(markersize=4, markerfacecolor="none", markeredgewidth=0.9)
