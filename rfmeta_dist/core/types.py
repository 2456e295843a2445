"""Define the types that several layers share. Images are 8-bit RGB, rows first; label 1 is live, 0 attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
Unit = Literal["frame", "video"]  # a decision is made for each frame, or for each video from its mean score
UNITS: tuple[Unit, ...] = ("frame", "video")
StepRow = dict[str, Any]  # the metrics of one training step: `step`, `loss` and its parts, `seconds`, …
LIVE = "live"  # the attack_type of a bona fide sample


@dataclass(frozen=True)
class Sample:
    """One face crop that is to be packed into a shard.

    Attributes:
        key: globally unique, `domain-video-frame`, without dots (in a shard, a key ends at the first dot).
        domain: name of the domain.
        split: the split of its subject.
        label: 1 live, 0 attack.
        attack_type: `live` for bona fide, otherwise `print`, `replay`, …
        subject: name of the person shown, unique across domains because it starts with the domain.
        video: name of the recording, unique within the domain.
        frame: number of the frame in the recording, from 0.
        image: encoded square RGB crop.
        image_ext: `jpg` or `png`.
        depth: encoded 8-bit grey PNG, 32×32; all zeros for an attack; 255 is nearest.
        full_depth: the same depth map at 256×256; None if only the small one is stored.
        protocols: the official evaluation protocols that use the sample, each with its part, such as `1/train`;
            sorted.
        about: what the data set tells about the recording, as `core.about.to_text` writes it; empty if nothing
            is known.
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
    about: str = ""


@dataclass(frozen=True)
class RawBatch:
    """A decoded batch of one domain, as a stream delivers it.

    Attributes:
        image: B×S×S×3 uint8 RGB.
        depth: B×(S/8)×(S/8) uint8, 255 is nearest; zero everywhere for an attack.
        label: B float32, 1 live, 0 attack.
        keys: the B sample keys, in order. The patches of a face are adjacent and have the same key.
        place: B×3 int32 for patches: left and top of the patch, and side of the crop that it was cut from, in
            pixels of the stored crop; None for whole faces.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.uint8]
    label: NDArray[np.float32]
    keys: tuple[str, ...]
    place: NDArray[np.int32] | None = None

    def rows(self, rows: range) -> RawBatch:
        """Return a batch of some consecutive rows of this one."""
        part = slice(rows.start, rows.stop)
        place = None if self.place is None else self.place[part]
        return RawBatch(self.image[part], self.depth[part], self.label[part], self.keys[part], place)


@dataclass(frozen=True)
class Batch:
    """A batch of one domain in the form that the networks take.

    Attributes:
        image: B×6×S×S float in [0, 1]: RGB then HSV.
        depth: B×1×(S/8)×(S/8) float in [0, 1], 1 is nearest; zero everywhere for an attack.
        label: B float, 1 live, 0 attack.
    """

    image: Tensor
    depth: Tensor
    label: Tensor

    def rows(self, rows: range) -> Batch:
        """Return a batch of some consecutive rows of this one."""
        part = slice(rows.start, rows.stop)
        return Batch(self.image[part], self.depth[part], self.label[part])

    def to(self, device: torch.device) -> Batch:
        """Return this batch on a device."""
        return Batch(self.image.to(device), self.depth.to(device), self.label.to(device))


@dataclass(frozen=True)
class Episode:
    """The batches of one episode: first the meta-train domains in forward order, last the meta-test domain.

    Attributes:
        batches: one batch for each domain of the episode; `None` if no task of this worker needs it. The batch
            of the meta-test domain has only the rows that this worker forwards.
        domains: for each batch the index of its domain among the run's sources; empty if nobody asks.
        number: number of the episode within the run, from 0.
        step: the training step that the episode belongs to, from 0.
    """

    batches: tuple[Batch | None, ...]
    domains: tuple[int, ...] = ()
    number: int = 0
    step: int = 0


class Peers(Protocol):
    """The workers that share one episode, including this one."""

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over the workers, in place and without gradient. Every worker gets the same bits."""


@dataclass(frozen=True)
class SharedBatch:
    """Says how the rows of one batch are split over workers. It is known beforehand, so nobody has to ask.

    Attributes:
        peers: the workers that hold the other rows, and this one.
        rows: the positions of this worker's rows in the whole batch; at least one.
        total: number of rows of the whole batch.
    """

    peers: Peers
    rows: range
    total: int
