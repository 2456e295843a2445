"""Measure how many 8-bit crops a second go from the host's memory into the device as the networks' input."""

from __future__ import annotations

from statistics import median

from bench.gpu.card import timed
from bench.gpu.sections import Teller
from bench.gpu.settings import Settings, crops
from rfmeta_dist.models.preprocess import to_batch

BATCHES = 6  # different ones, so that a copy does not find its data in a cache


def fed(settings: Settings, tell: Teller) -> None:
    """Tell images and MB of 8-bit crops per second, without a step that computes at the same time."""
    size, device = settings.step, settings.place
    raw = [crops(size.side, size.images, index) for index in range(BATCHES)]

    def work() -> None:
        for batch in raw:
            to_batch(batch, device)

    work()
    seconds = median(timed(work, settings.steps, device) for _ in range(settings.rounds))
    images = BATCHES * size.images / seconds
    tell("to_batch", {"images_per_s": images, "mb_per_s": images * raw[0].image[0].nbytes / 1e6})
