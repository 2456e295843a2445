"""Say how large the pieces of work are, and make the configuration and the crops that sections train on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rfmeta_dist.config.methods import RULES as METHODS
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.seeds import octets
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.episode.plan import Need

GOLDEN = Path(__file__).parents[2] / "tests/verification/rfmeta_float64.json"


@dataclass(frozen=True)
class Size:
    """Side of the images in pixels, factor of the numbers of channels, images of each of the three domains."""

    side: int
    width: float
    images: int


@dataclass(frozen=True)
class Settings:
    """How much work a run of the script does.

    Attributes:
        device: `cuda` or `cpu`.
        tiny: small enough for a CPU, to test the script itself. Figures of speed mean nothing then.
        step: size of the steps that are timed; the paper's, unless tiny.
        resumed: size of the training that is killed and resumed.
        rounds: times that each contender is timed, in turns with the others.
        steps: steps in each of these blocks.
        methods: learning rules that are proved.
    """

    device: str
    tiny: bool = False
    step: Size = Size(256, 1.0, 20)
    resumed: Size = Size(128, 0.5, 8)
    rounds: int = 5
    steps: int = 3
    methods: tuple[str, ...] = tuple(METHODS)

    @property
    def place(self) -> torch.device:
        """Return the device for torch: the CPU or the first GPU."""
        return torch.device("cuda", 0) if self.device == "cuda" else torch.device("cpu")


def settings(device: str, *, tiny: bool) -> Settings:
    """Return the settings of a run on this device."""
    if not tiny:
        return Settings(device)
    size = Size(32, 0.06, 4)
    return Settings(device, tiny=True, step=size, resumed=size, rounds=2, steps=1, methods=("rfmeta",))


def training(**given: Any) -> Training:
    """Return the `training` section of one worker, with these fields."""
    # A worker without a GPU may not have tf32. On a CPU that setting changes nothing, so tiny runs have it too.
    return Training.model_validate({"workers": 1, "strategy": "single", "gpus": 1, **given})


def configuration(size: Size, **given: Any) -> Config:
    """Return the configuration of one worker that trains on three domains, with these fields of `training`."""
    return Config.model_validate(
        {
            "run": {"name": "bench", "folder": "generated://"},
            "data": {
                "prefix": "generated://",
                "sources": ["A", "B", "C"],
                "target": "none",
                "image_size": size.side,
                "batch": size.images,
            },
            "model": {"width": size.width},
            "training": training(**given),
        }
    )


def crops(side: int, images: int, *key: int | str) -> RawBatch:
    """Return a batch of random crops in memory, as a reader delivers it. It depends on size and key alone."""
    image = octets(images * side * side * 3, "crops", *key).reshape(images, side, side, 3)
    label = (np.arange(images) % 2).astype(np.float32)
    small = image[:, ::8, ::8, 0] * label.astype(np.uint8)[:, None, None]
    return RawBatch(image, np.ascontiguousarray(small), label, tuple(f"{key}-{i}" for i in range(images)))


@dataclass(frozen=True)
class Memory:
    """A source of batches for the training loop that makes random crops, without a store or a reader."""

    size: Size

    def batch(self, need: Need) -> RawBatch:
        """Return the rows of a domain's batch."""
        return crops(self.size.side, self.size.images, need.domain, need.index).rows(need.rows)

    def prefetch(self, needs: Iterable[Need]) -> None:
        """Do nothing: batches are made when they are asked for."""
