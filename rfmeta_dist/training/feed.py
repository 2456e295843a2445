"""Send a step's batches to the device while the step before computes.

On a GPU, 8-bit crops are copied from pinned memory on a stream of their own, and converted to the networks'
input there. So neither the host nor the stream that computes the step waits for a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rfmeta_dist.core.types import Episode, RawBatch
from rfmeta_dist.models.preprocess import to_batch

RawEpisodes = Sequence[Sequence[RawBatch | None]]  # the batches of each episode; None where none is needed


@dataclass(frozen=True)
class Sent:
    """Episodes that were sent to the device, and on a GPU the event that occurs when they have arrived."""

    episodes: tuple[Episode, ...]
    arrival: torch.cuda.Event | None

    def receive(self) -> tuple[Episode, ...]:
        """Return the episodes. What the caller's stream computes next starts when they have arrived."""
        if self.arrival is None:
            return self.episodes
        stream = torch.cuda.current_stream()
        stream.wait_event(self.arrival)
        for episode in self.episodes:
            for batch in filter(None, episode.batches):
                for tensor in (batch.image, batch.depth, batch.label):
                    tensor.record_stream(
                        stream
                    )  # so that its memory is not used again while the stream needs it
        return self.episodes


class Feed:
    """Sends batches to one device; on a GPU on a stream of its own.

    Args:
        device: the worker's device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = (
            torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        )

    def send(self, raw: RawEpisodes) -> Sent:
        """Send the batches of each episode. On a GPU this returns before they have arrived."""
        if self._stream is None:
            return Sent(self._convert(raw), None)
        with torch.cuda.stream(self._stream):
            return Sent(self._convert(raw), self._stream.record_event())

    def _convert(self, raw: RawEpisodes) -> tuple[Episode, ...]:
        return tuple(
            Episode(tuple(to_batch(b, self._device) if b else None for b in batches)) for batches in raw
        )
