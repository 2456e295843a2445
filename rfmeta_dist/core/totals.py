"""Count what a domain's stream has read, decoded and waited for so far."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class StreamTotals:
    """Totals since a stream was opened; they never decrease.

    Attributes:
        bytes_read: bytes of shards that were fetched from the store; shards that were read again count again.
        shards_read: shards that were fetched from the store.
        cache_hits: shards that were found in the node's cache or in this process's memory instead.
        cache_faults: shards that could not be written to the cache, for example because the disk was full.
        retries: requests that were sent again, and shards that were read again because their hash differed.
        samples: samples that were decoded and delivered.
        stalled: seconds that the consumer waited because a sample was not ready.
    """

    bytes_read: int = 0
    shards_read: int = 0
    cache_hits: int = 0
    cache_faults: int = 0
    retries: int = 0
    samples: int = 0
    stalled: float = 0.0

    def __add__(self, other: StreamTotals) -> StreamTotals:
        """Return the sum of the totals of two streams."""
        names = [field.name for field in fields(self)]
        return StreamTotals(**{name: getattr(self, name) + getattr(other, name) for name in names})
