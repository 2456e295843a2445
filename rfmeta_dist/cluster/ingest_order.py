"""What to ingest and how, and the work on one recording, which any process can do without Ray."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rfmeta_dist.data.shards.batches import MOST, Batch
from rfmeta_dist.data.shards.stage import Stage
from rfmeta_dist.ingest.crop import CropRule
from rfmeta_dist.ingest.extract import contract
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.recording import Recording
from rfmeta_dist.ingest.video import FrameRule
from rfmeta_dist.storage.store import open_store

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Faces


@dataclass(frozen=True)
class Order:
    """The data set to ingest, and the settings.

    Attributes:
        layout: name of the layout.
        root: the data set's folder, on a disk that all machines share.
        out: prefix to write to.
        domain: name of the domain.
        frames: rule that chooses the frames of a video.
        rule: how faces are cropped.
        skip_unreadable: True to leave out recordings that cannot be decoded; False to raise an error.
        batch: the batch as which the samples join the domain; None to publish them as the domain.
        most: videos of an attack type for each video of all other types; see `data.shards.delivery.surplus`.
    """

    layout: str
    root: Path
    out: str
    domain: str
    frames: FrameRule
    rule: CropRule
    skip_unreadable: bool = False
    batch: Batch | None = None
    most: float = MOST

    @property
    def stage(self) -> Stage:
        """Return the staging area, which keeps samples of finished recordings until all of them are packed."""
        rule = {"layout": self.layout, **contract(self.frames, self.rule)}
        if self.batch:
            rule["batch"] = self.batch.name  # an ingest clears its area, but not that of another batch
        return Stage(open_store(self.out), self.domain, rule)


@lru_cache(maxsize=1)
def _tools(order: Order) -> tuple[Stage, Faces]:
    """Return the staging area and the face models, which each process opens only once."""
    from rfmeta_dist.ingest.face import Faces

    return order.stage, Faces()


def extract(order: Order, name: str, recording: Recording) -> None:
    """Write the samples of one recording to the staging area, as the object `name`."""
    from rfmeta_dist.ingest.sampling import sample

    stage, faces = _tools(order)
    samples, tally = sample(recording, order.root, LAYOUTS[order.layout], order.frames, order.rule, faces)
    stage.write(name, samples, tally)
