"""Turn paired scores into decisions: which videos each model gets wrong, at which thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.rates import cut_at
from rfmeta_dist.evaluation.scores import coded
from rfmeta_dist.retrain.pairs import FROZEN
from rfmeta_dist.retrain.significance import Compared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.retrain.pairs import Pairs

    Bits = NDArray[np.bool_]

OWN, EQUAL = "own thresholds", "equal BPCER"
AT = (OWN, EQUAL)
# Fraction of live videos that both models reject at equal BPCER, if the champion rejects fewer at its own
# threshold. A threshold that rejects hardly any hangs on the few live videos with the lowest scores.
LEAST_BPCER = 0.05


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions of both models on all videos of some pairs.

    Attributes:
        pairs: the paired scores.
        equal: thresholds of champion and challenger for equal BPCER; see `equal_thresholds`.
    """

    pairs: Pairs
    equal: tuple[float, float]

    @classmethod
    def of(cls, pairs: Pairs) -> Decisions:
        """Decide on all videos.

        Raises:
            DataError: the frozen part has no live video or no attack.
        """
        frozen = pairs.attack_type[pairs.part == FROZEN]
        for what, missing in (("live video", LIVE not in frozen), ("attack", not (frozen != LIVE).any())):
            if missing:
                raise DataError(
                    f"the frozen test videos have no {what}, so champion and challenger cannot be compared",
                    "the domains' test splits need live videos and attacks: ingest more people",
                )
        return cls(pairs, equal_thresholds(pairs))

    @cached_property
    def kinds(self) -> list[str]:
        """Return the attack types and `live`, sorted."""
        return coded(self.pairs.attack_type)[0]

    @cached_property
    def subject(self) -> NDArray[np.int64]:
        """Return N codes of people."""
        return coded(self.pairs.subject)[1]

    @cached_property
    def wrong(self) -> dict[str, tuple[Bits, Bits]]:
        """Return, by kind of threshold, where the champion and where the challenger is wrong."""
        pairs, live = self.pairs, self.pairs.label == 1
        champion = (pairs.champion >= pairs.thresholds[0]) != live
        own = (pairs.challenger >= pairs.thresholds[1]) != live
        equal = (pairs.champion >= self.equal[0]) != live, (pairs.challenger >= self.equal[1]) != live
        return {OWN: (champion, own), EQUAL: equal}

    def compared(self, rows: Bits, at: str = OWN) -> Compared:
        """Return the errors on some of the videos.

        Args:
            rows: N, True for these videos.
            at: one of `AT`.
        """
        champion, challenger = self.wrong[at]
        return Compared.of(champion[rows], challenger[rows], self.subject[rows])


def equal_thresholds(pairs: Pairs) -> tuple[float, float]:
    """Return thresholds of champion and challenger at which both reject equally many frozen live videos.

    The champion keeps its own threshold if it rejects at least `LEAST_BPCER` of them; otherwise both thresholds
    are set for that fraction. If tied scores make equality impossible, a threshold rejects the largest possible
    number below, so that a tie never helps the challenger to reject more attacks.

    Args:
        pairs: their frozen part has a live video.
    """
    live = (pairs.part == FROZEN) & (pairs.label == 1)
    rejected = int((pairs.champion[live] < pairs.thresholds[0]).sum())
    least = int(LEAST_BPCER * live.sum())
    allowed = max(rejected, least)
    champion = pairs.thresholds[0] if rejected >= least else _rejecting(pairs.champion[live], allowed, None)
    return champion, _rejecting(pairs.challenger[live], allowed, pairs.thresholds[1])


def _rejecting(live: NDArray[np.float64], allowed: int, own: float | None) -> float:
    """Return a threshold that rejects this number of live videos, or the largest possible number below.

    A model's own threshold is kept if it rejects this number; otherwise the threshold lies halfway between the
    two live scores that it separates.
    """
    import numpy as np

    values, counts = np.unique(live, return_counts=True)
    rejected = np.concatenate([[0], np.cumsum(counts)])
    cut = int(np.searchsorted(rejected, allowed, side="right")) - 1
    return own if own is not None and int(np.searchsorted(values, own)) == cut else cut_at(values, cut)
