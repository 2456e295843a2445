"""Draw histograms of scores as SVG text, for scores from 0 to 1 and for scores on any other scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.report.plots import BLUE, ORANGE, as_svg, new_figure, styled
from rfmeta_dist.report.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

_LARGEST = 1e150  # scores beyond are drawn at it, because distances between larger ones overflow


@dataclass(frozen=True)
class Axis:
    """The axis of histograms of scores.

    Attributes:
        low: the left end; scores below it are drawn at it.
        high: the right end; scores above it are drawn at it.
        label: the words below the axis.
        turned: True to draw scores times −1, so that they are as they were before they were turned.
    """

    low: float = 0.0
    high: float = 1.0
    label: str = "score  (attack 0 … 1 live)"
    turned: bool = False

    @classmethod
    def of(cls, scores: Sequence[Scores], *, turned: bool) -> Axis:
        """Return the axis for scores on any scale: from 0 to 1 if that holds all of them.

        Else it leaves 0.1 % of the scores outside on each side, because a few extreme ones would otherwise
        press all others into one bar.
        """
        import numpy as np

        values = np.concatenate([part.score for part in scores])
        values = -values if turned else values
        if values.min() >= 0 and values.max() <= 1:
            return cls(0.0, 1.0, "score  (live 0 … 1 attack)" if turned else cls.label, turned)
        low, high = np.quantile(np.clip(values, -_LARGEST, _LARGEST), (0.001, 0.999))
        if low == high:
            low, high = low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5
        sides = "attack", "live"
        left, right = reversed(sides) if turned else sides
        return cls(float(low), float(high), f"score  ({left} … {right})", turned)

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where scores are drawn."""
        import numpy as np

        return np.clip(-values if self.turned else values, self.low, self.high)


def histogram(scores: Scores, threshold: float | None, title: str, name: str, axis: Axis | None = None) -> str:
    """Draw score histograms, one row for live samples and each attack type, with the threshold.

    The title of a row says which share of its samples is on the wrong side of the threshold.

    Args:
        scores: N frames or videos; higher is more live.
        threshold: a sample is accepted as live if its score ≥ threshold; None if there is no threshold.
        title: heading of the plot.
        name: prefix of this plot's ids, different from that of other plots on the page.
        axis: None for scores from 0 to 1.
    """
    import numpy as np

    axis = axis or Axis()
    kinds = sorted(set(scores.attack_type.tolist()), key=lambda kind: (kind != LIVE, kind))
    with styled(name):
        figure = new_figure(4.4, 0.7 + 0.95 * len(kinds))
        rows = figure.subplots(len(kinds), sharex=True, squeeze=False)[:, 0]
        for axes, kind in zip(rows, kinds, strict=True):
            values = scores.score[scores.attack_type == kind]
            colour = BLUE if kind == LIVE else ORANGE
            axes.stairs(
                *np.histogram(axis.place(values), bins=40, range=(axis.low, axis.high)), fill=True, color=colour
            )
            axes.set_ylim(bottom=0)
            heading = f"{kind} (n = {len(values):,})"
            if threshold is not None:
                axes.axvline(float(axis.place(np.array([threshold]))[0]), color="black", linewidth=1)
                accepted = float((values >= threshold).mean())
                wrong = f"{percent(1 - accepted)} rejected" if kind == LIVE else f"{percent(accepted)} accepted"
                heading = f"{heading}: {wrong}"
            axes.set_title(heading, color=colour, fontsize=9)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
        rows[-1].set_xlim(axis.low, axis.high)
        rows[-1].set_xlabel(axis.label)
        figure.suptitle(title, x=0.02, ha="left", fontsize=10, fontweight="bold")
        return as_svg(figure, name)
