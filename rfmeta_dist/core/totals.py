"""Totals of what the reading of a domain has done and waited for so far."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class StreamTotals:
    """Totals since a stream was made; they never fall.

    Attributes:
        bytes_read: of shards, fetched from the store, those read again included.
        shards_read: fetched from the store.
        cache_hits: shards found in the node's cache instead.
        cache_faults: shards that could not be kept there: the disk was full or refused.
        retries: requests sent again, and shards read again because they did not match their hash.
        samples: decoded and delivered.
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
        """The totals of two streams."""
        names = [field.name for field in fields(self)]
        return StreamTotals(**{name: getattr(self, name) + getattr(other, name) for name in names})
