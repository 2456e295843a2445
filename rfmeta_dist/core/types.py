"""The nouns that cross layers. Image data is RGB, 8-bit, rows first; label 1 is live, 0 an attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Unit = Literal["frame", "video"]  # what is scored and decided on
UNITS: tuple[Unit, ...] = ("frame", "video")
StepRow = dict[str, Any]  # of one training step: `step`, `loss` and its parts, `seconds`, …
LIVE = "live"  # the attack_type of a bona fide sample


@dataclass(frozen=True)
class Sample:
    """One face crop on its way into a shard.

    Attributes:
        key: globally unique, `domain-video-frame`, without dots (a shard splits names at the first dot).
        attack_type: `live` for bona fide, otherwise `print`, `replay`, …
        label: 1 live, 0 attack.
        subject: unique across domains, so prefixed by the domain.
        image: encoded square RGB crop.
        image_ext: `jpg` or `png`.
        depth: encoded 8-bit grey PNG, 32×32; all zeros for an attack; 255 is nearest.
        full_depth: the same at 256×256, if it is kept.
        protocols: official evaluation protocols that it is in, with its part of each: `1/train`; sorted.
    """

    key: str
    domain: str
    split: Split
    label: int
    attack_type: str
    subject: str
    video: str
    frame: int
    image: bytes
    image_ext: str
    depth: bytes
    full_depth: bytes | None = None
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawBatch:
    """A decoded batch of one domain as it leaves the stream.

    Attributes:
        image: B×S×S×3 uint8 RGB.
        depth: B×(S/8)×(S/8) uint8.
        label: B float32, 1 live, 0 attack.
        keys: the B sample keys, in order. The patches of a face stand together and have the same key.
        place: of patches, B×3 int32: left and top of the patch, and side of the crop that it was cut from, in
            pixels of the crop as stored; None for whole faces.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.uint8]
    label: NDArray[np.float32]
    keys: tuple[str, ...]
    place: NDArray[np.int32] | None = None

    def rows(self, rows: range) -> RawBatch:
        """Some consecutive rows of it."""
        part = slice(rows.start, rows.stop)
        place = None if self.place is None else self.place[part]
        return RawBatch(self.image[part], self.depth[part], self.label[part], self.keys[part], place)


@dataclass(frozen=True)
class Batch:
    """A batch of one domain as the networks take it.

    Attributes:
        image: B×6×S×S float in [0, 1]: RGB then HSV.
        depth: B×1×(S/8)×(S/8) float in [0, 1].
        label: B float, 1 live, 0 attack.
    """

    image: Tensor
    depth: Tensor
    label: Tensor

    def rows(self, rows: range) -> Batch:
        """Some consecutive rows of it."""
        part = slice(rows.start, rows.stop)
        return Batch(self.image[part], self.depth[part], self.label[part])


@dataclass(frozen=True)
class Episode:
    """The batches of one episode: meta-train domains in forward order, and the meta-test domain last.

    Attributes:
        batches: one for each of the episode's domains; `None` where this worker has no task that needs it. Of
            the meta-test domain, the rows that this worker forwards.
    """

    batches: tuple[Batch | None, ...]


class Peers(Protocol):
    """The workers that share one episode, this one among them."""

    def sum(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over the group, in place and without gradient; the same bits on each worker."""
