"""Make small random samples to pack, for tests that need a domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np
import simplejpeg

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Sample, Split

SIZE = 64


def make_samples(
    domain: str = "A", sizes: Mapping[Split, tuple[int, int]] | None = None, seed: int = 0
) -> Iterator[Sample]:
    """Samples of a domain: `sizes` gives how many are live and attacks in each split."""
    for split, (live, attacks) in (sizes or {"train": (12, 20)}).items():
        for number in range(live + attacks):
            yield make_sample(domain, split, number, label=int(number < live), seed=seed)


def make_sample(domain: str, split: Split, number: int, *, label: int, seed: int = 0) -> Sample:
    """One sample; three share a subject."""
    rng = generator("sample", seed, domain, split, number)
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    image = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    depth = rng.integers(1, 256, (32, 32), np.uint8) * np.uint8(label)
    kind = "live" if label else ("print", "replay")[number % 2]
    video = f"{split}{number // 3}"
    return Sample(
        key=f"{domain}-{video}-{number:05d}",
        domain=domain,
        split=split,
        label=label,
        attack_type=kind,
        subject=f"{domain}-{video}",
        video=video,
        frame=number % 3,
        image=simplejpeg.encode_jpeg(image, quality=90),
        image_ext="jpg",
        depth=cv2.imencode(".png", depth)[1].tobytes(),
    )


def make_native_samples(domain: str, sizes: Mapping[Split, tuple[int, int]], seed: int = 0) -> Iterator[Sample]:
    """Make the same people and labels as lossless crops of different sizes, 40 to 120 pixels of fine noise."""
    for sample in make_samples(domain, sizes, seed):
        rng = generator("native", seed, sample.key)
        side = int(rng.integers(40, 121))
        image = rng.integers(0, 256, (side, side, 3), np.uint8)
        yield replace(sample, image=cv2.imencode(".png", image)[1].tobytes(), image_ext="png")
