"""Measure hand-made features: milliseconds a crop, and frames a second with one worker and with two.

    python -m bench.features [--frames 1200] [--rounds 3] [--out FILE]

The crops are drawn at random and have 64 pixels, the size at which the features are computed. Milliseconds are
those of one thread, without reading. Frames a second are those of `cluster/features.py` from stored shards to
features in this process, on a local Ray with one CPU and with two. Starting Ray and a small domain, with which
its processes start, are not counted. If scikit-image is installed, labels of patterns are compared with its own
on 20 of the crops.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.result import give
from rfmeta_dist.config.methods.features import FEATURES
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.ingest.crop import encode_png
from rfmeta_dist.recipes.frames import Order
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.texture.api import extractor
from rfmeta_dist.texture.images import grey
from rfmeta_dist.texture.lbp import lbp

SIDE, BATCH, COMPARED = 64, 64, 20
SMALL = 32  # frames of the domain that is read first


def crop(number: int) -> NDArray[np.uint8]:
    """Return a crop with areas, edges and noise."""
    rng = generator("bench", "features", number)
    coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
    image = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(image + rng.integers(-9, 10, image.shape), 0, 255).astype(np.uint8)


def samples(domain: str, count: int) -> Iterator[Sample]:
    """Yield samples of a training split, half of them live, stored without loss."""
    for number in range(count):
        label = number % 2
        yield Sample(
            key=f"{domain}-{number}-{number:06d}",
            domain=domain,
            split="train",
            label=label,
            attack_type="live" if label else "print",
            subject=f"{domain}-{number}",
            video=f"{domain}-{number}",
            frame=number,
            image=encode_png(crop(number)),
            image_ext="png",
            depth=encode_png(np.full((32, 32), 100 * label, np.uint8)),
        )


def milliseconds(name: str, rounds: int) -> float:
    """Return the least milliseconds a crop of several rounds, for batches of 64 crops."""
    computer = extractor(FEATURES[name].rule, {})
    faces = np.stack([crop(number) for number in range(BATCH)])
    least = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        computer.features(faces)
        least = min(least, time.perf_counter() - began)
    return round(1000 * least / BATCH, 2)


def frames_a_second(store: Store, frames: int, workers: int, rounds: int) -> dict[str, float]:
    """Return frames a second of each method on a local Ray with some CPUs: the most of several rounds."""
    from rfmeta_dist.cluster.features import extracted
    from rfmeta_dist.cluster.session import session

    manifests = {name: Manifest.open(store, name) for name in ("small", "large")}
    sources, found = Sources(store, manifests), {}
    with session(workers):
        for name in FEATURES:
            rule = FEATURES[name].rule
            order = Order(rule, extractor(rule, {}).settings, SIDE, frames, 0)
            list(extracted(replace(order, frames=SMALL), sources, "small"))
            rates = []
            for _ in range(rounds):
                began = time.perf_counter()
                count = sum(len(keys) for keys, _ in extracted(order, sources, "large"))
                rates.append(count / (time.perf_counter() - began))
            found[name] = round(max(rates), 1)
    return found


def compared() -> dict[str, Any] | None:
    """Compare labels with scikit-image, if it is installed: how many differ, and how much a share changes."""
    if find_spec("skimage") is None:
        return None
    from skimage.feature import local_binary_pattern

    images = grey(np.stack([crop(number) for number in range(COMPARED)]))
    found: dict[str, Any] = {"crops": COMPARED}
    for points, radius in ((8, 1), (8, 2), (16, 2)):
        inner = slice(radius, -radius)
        whole = np.stack([local_binary_pattern(image, points, radius, "nri_uniform") for image in images])
        theirs = whole[:, inner, inner]
        differing = (lbp(images, points, radius) != theirs).sum(axis=(1, 2))
        found[f"LBP {points},{radius}"] = {
            "labels": theirs.size,
            "differing": int(differing.sum()),
            "largest_difference_of_a_share": float(differing.max() / theirs[0].size),
        }
    return found


def main() -> None:
    """Measure, and give the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    result: dict[str, Any] = {
        "side": SIDE,
        "cores": os.cpu_count(),
        "ms_a_crop": {name: milliseconds(name, asked.rounds) for name in FEATURES},
        "scikit-image": compared(),
    }
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for domain, count in (("small", SMALL), ("large", asked.frames)):
            pack(samples(domain, count), store, domain, contract={}, shard_bytes=1 << 20)
        rates = {workers: frames_a_second(store, asked.frames, workers, asked.rounds) for workers in (1, 2)}
    result["frames"] = asked.frames
    result["frames_a_second"] = {f"{workers} worker(s)": rate for workers, rate in rates.items()}
    result["two_against_one"] = {name: round(rates[2][name] / rates[1][name], 2) for name in FEATURES}
    give(result, asked.out)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
