"""Compute the order of samples in a stream from the position alone: epoch, window of shards, sample.

In every epoch the shards are permuted and divided into windows of `WINDOW` shards, and the samples within
each window are permuted. So each sample is delivered exactly once per epoch, and memory holds one window.
Reading can start at any position without saved state: only the shards of that position's window are read.
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
    """The samples to deliver from one window of shards.

    Attributes:
        shards: indices of the window's shards, in the order in which they are read.
        order: numbers of the samples to deliver, in order. The samples of the window are numbered from 0
            through all its shards.
    """

    shards: tuple[int, ...]
    order: NDArray[np.int64]


@dataclass(frozen=True)
class SampleOrder:
    """The endless order of the samples in some shards.

    Attributes:
        counts: number of samples in each shard, at least one.
        seed: the run's seed.
        stream: a name that differs from those of the run's other streams.
    """

    counts: Sequence[int]
    seed: int
    stream: str

    def visits(self, start: int = 0) -> Iterator[Visit]:
        """Yield visits without end. Only the windows from the one with position `start` on are read.

        Args:
            start: number of the first sample to deliver, counted from the beginning of the run, over all
            epochs.
        """
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
