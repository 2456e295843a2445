"""The order of a stream, as arithmetic: position → epoch → window of shards → sample.

In every epoch the shards are permuted and cut into windows of `WINDOW`; within a window the
samples are permuted. So a sample is met exactly once an epoch, memory holds one window, and reading
can begin at any position without state: only the shards of that position's window are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.seeds import permutation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOW = 4


@dataclass(frozen=True)
class Visit:
    """What to deliver from one window.

    Attributes:
        shards: indices of its shards.
        order: which samples to deliver, counted through those shards one after the other.
    """

    shards: tuple[int, ...]
    order: NDArray[np.int64]


@dataclass(frozen=True)
class SampleOrder:
    """The endless order of a stream of shards.

    Attributes:
        counts: how many samples each shard holds; at least one each.
        seed: the run's seed.
        stream: what tells this stream from others of the run.
    """

    counts: Sequence[int]
    seed: int
    stream: str

    def visits(self, start: int = 0) -> Iterator[Visit]:
        """All visits from sample position `start` on, the first cut short to begin there."""
        epoch, skip = divmod(start, sum(self.counts))
        while True:
            for number, shards in enumerate(self._windows(epoch)):
                count = sum(self.counts[shard] for shard in shards)
                if skip < count:
                    order = permutation(count, self.seed, self.stream, epoch, number)
                    yield Visit(shards, order[skip:])
                skip = max(0, skip - count)
            epoch += 1

    def _windows(self, epoch: int) -> Iterator[tuple[int, ...]]:
        shards = permutation(len(self.counts), self.seed, self.stream, epoch, "shards").tolist()
        for begin in range(0, len(shards), WINDOW):
            yield tuple(shards[begin : begin + WINDOW])
