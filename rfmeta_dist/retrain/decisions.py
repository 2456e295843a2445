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


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions of both models on all videos of some pairs.

    Attributes:
        pairs: the paired scores.
        equal: the challenger's threshold for equal BPCER; see `equal_threshold`.
    """

    pairs: Pairs
    equal: float

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
        return cls(pairs, equal_threshold(pairs))

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
        return {OWN: (champion, own), EQUAL: (champion, (pairs.challenger >= self.equal) != live)}

    def compared(self, rows: Bits, at: str = OWN) -> Compared:
        """Return the errors on some of the videos.

        Args:
            rows: N, True for these videos.
            at: one of `AT`.
        """
        champion, challenger = self.wrong[at]
        return Compared.of(champion[rows], challenger[rows], self.subject[rows])


def equal_threshold(pairs: Pairs) -> float:
    """Return a threshold of the challenger that rejects as many frozen live videos as the champion rejects.

    If tied scores make this impossible, the threshold rejects the largest possible number below that, so that a
    tie never helps the challenger to reject more attacks. The challenger's own threshold is kept if it rejects
    this number; otherwise the threshold lies halfway between the two live scores that it separates.

    Args:
        pairs: their frozen part has a live video.
    """
    import numpy as np

    live = (pairs.part == FROZEN) & (pairs.label == 1)
    allowed = int((pairs.champion[live] < pairs.thresholds[0]).sum())
    values, counts = np.unique(pairs.challenger[live], return_counts=True)
    rejected = np.concatenate([[0], np.cumsum(counts)])
    cut = int(np.searchsorted(rejected, allowed, side="right")) - 1
    own = pairs.thresholds[1]
    return own if int(np.searchsorted(values, own)) == cut else cut_at(values, cut)
