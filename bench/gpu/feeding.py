"""Measure how many 8-bit crops a second go from the host's memory into the device as the networks' input."""

from __future__ import annotations

from statistics import median

from bench.gpu.card import timed
from bench.gpu.sections import Teller
from bench.gpu.settings import Settings, crops
from bench.step import DOMAINS
from rfmeta_dist.training.feed import Feed

STEPS = 2  # whose batches differ, so that a copy does not find its data in a cache


def fed(settings: Settings, tell: Teller) -> None:
    """Tell images and MB of 8-bit crops per second, without a step that computes at the same time."""
    size, device = settings.step, settings.place
    steps = [
        [[crops(size.side, size.images, step, domain) for domain in range(DOMAINS)]] for step in range(STEPS)
    ]
    feed = Feed(device)

    def work() -> None:
        for raw in steps:
            feed.send(raw).receive()

    work()
    seconds = median(timed(work, settings.steps, device) for _ in range(settings.rounds))
    images = STEPS * DOMAINS * size.images / seconds
    tell("crops", {"images_per_s": images, "mb_per_s": images * 3 * size.side**2 / 1e6})
