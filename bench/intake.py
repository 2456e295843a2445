"""Measure which wrong batches the checks of new data find, and which sound ones they stop.

    python -m bench.intake [--repeats 1000] [--demo shards/demo] [--out bench/results/intake.json]

Labels: a champion's scores are drawn for 200 frozen and 100 new people with one live, one print and one replay
video each. Scores are normal with equal variance; 30 % of it is common to the videos of a person. The distance
of the classes gives the AUC. A share of the labels is then flipped, each with the same probability.

Duplicates: the images of `shards/demo` in different videos are compared, and copies of 600 of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.result import give
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.data.shards.manifest import Manifest, domains
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.retrain.alike import (
    ALIKE,
    ALIKE_DETAIL,
    are_copies,
    correlations,
    hashed,
    near_pairs,
    small,
    stored_images,
)
from rfmeta_dist.retrain.contradicted import TOLERATED, weigh
from rfmeta_dist.storage.store import open_store

FROZEN, NEW = 200, 100  # people
COMMON = 0.3  # share of the variance of scores that the videos of a person have in common
AREAS = (0.9, 0.97)
FLIPPED = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
COPIED = 600  # images that are copied


@dataclass(frozen=True)
class Case:
    """What the new people's scores are like.

    Attributes:
        name: in words.
        shift: how far a camera moves all scores, in standard deviations.
        narrow: factor of the distance of the classes.
        passing: attack types whose scores are those of live videos.
        types: attack types of the batch.
    """

    name: str
    shift: float = 0.0
    narrow: float = 1.0
    passing: tuple[str, ...] = ()
    types: tuple[str, ...] = ("print", "replay")


CASES = (
    Case("like the frozen set"),
    Case("camera, scores lower by 0.5", shift=-0.5),
    Case("camera, scores higher by 0.5", shift=0.5),
    Case("camera, scores lower by 1", shift=-1),
    Case("camera, scores higher by 1", shift=1),
    Case("camera, classes 30 % nearer", narrow=0.7),
    Case("camera, classes 50 % nearer", narrow=0.5),
    Case("prints of a kind that passes", passing=("print",)),
    Case("a new attack type alone, which passes", passing=("mask",), types=("mask",)),
    Case("a new attack type alone, scores lower by 1", shift=-1, passing=("mask",), types=("mask",)),
    Case("a new attack type alone, which is rejected", types=("mask",)),
)


def drawn(rng: np.random.Generator, number: int, area: float, case: Case, flipped: float) -> Scores:
    """Return the scores of so many people's videos; 0 lies halfway between the classes of the frozen set."""
    distance = float(np.sqrt(2) * ndtri(area)) * case.narrow
    kinds = np.repeat(np.array(["live", *case.types], np.object_), number)
    people = np.tile(np.array([f"p{one}" for one in range(number)], np.object_), 1 + len(case.types))
    own = np.tile(rng.normal(size=number), 1 + len(case.types)) * np.sqrt(COMMON)
    noise = own + rng.normal(size=len(kinds)) * np.sqrt(1 - COMMON)
    high = np.isin(kinds, ["live", *case.passing])
    score = noise + case.shift + np.where(high, distance / 2, -distance / 2)
    wrong = rng.random(len(kinds)) < flipped
    kinds = np.where(wrong, np.where(kinds == "live", rng.choice(case.types, len(kinds)), "live"), kinds)
    videos = np.array([f"v{one}" for one in range(len(kinds))], np.object_)
    same = np.full(len(kinds), "O", np.object_)
    return Scores(videos, same, same, people, videos, kinds, (kinds == "live").astype(np.int64), score)


def labels(area: float, case: Case, flipped: float, repeats: int) -> dict[str, Any]:
    """Return the shares of batches that are refused and warned of, and that each estimate alone would find."""
    count: Counter[str] = Counter()
    for repeat in range(repeats):
        rng = generator("intake", repeat)
        frozen = drawn(rng, FROZEN, area, CASES[0], 0)
        evidence = weigh(drawn(rng, NEW, area, case, flipped), frozen, 0.0)
        for where, elsewhere in (("known", False), ("elsewhere", True)):
            count[f"{where}_{evidence.severity(elsewhere) or 'silent'}"] += 1
        for name, share in vars(evidence).items():
            count[name] += bool(share and share.low > TOLERATED)
    names = ["live", "attack", "order"]
    names += [f"{where}_{what}" for where in ("known", "elsewhere") for what in ("refuse", "warn")]
    return {"area": area, "case": case.name, "flipped": flipped} | {n: count[n] / repeats for n in names}


def copies(image: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield copies of a JPEG, with what was done to each."""
    pixels = simplejpeg.decode_jpeg(image)
    side = len(pixels)
    half, larger = (
        cv2.resize(pixels, (n, n), interpolation=cv2.INTER_AREA) for n in (side // 2, side * 3 // 2)
    )
    brighter = np.clip(pixels * 1.15 + 8, 0, 255).astype(np.uint8)
    changed = {
        "JPEG quality 50": (pixels, 50),
        "JPEG quality 30": (pixels, 30),
        "half the side": (half, 85),
        "1.5 times the side": (larger, 85),
        "brighter by 15 %": (brighter, 85),
        "4 pixels of 80 cut off": (pixels[3:-1, 2:-2], 85),
        "mirrored": (pixels[:, ::-1], 85),
    }
    for name, (one, quality) in changed.items():
        yield name, simplejpeg.encode_jpeg(np.ascontiguousarray(one), quality=quality)


def duplicates(place: str) -> dict[str, Any]:
    """Return what is found among images of different videos, and among copies."""
    store = open_store(place)
    read = stored_images(store)
    encoded: list[bytes] = []
    videos: list[str] = []
    for name in domains(store):
        manifest = Manifest.open(store, name)
        encoded += read(manifest, np.arange(manifest.samples.num_rows))
        videos += [f"{name}-{video}" for video in manifest.samples["video_id"].to_pylist()]
    start = time.perf_counter()
    pixels = [small(image, "") for image in encoded]
    hashes = np.array([hashed(one) for one in pixels], np.uint64)
    video = np.unique(videos, return_inverse=True)[1]
    first, other, _ = near_pairs(hashes, hashes)
    pairs = [
        (a, b) for a, b in zip(first.tolist(), other.tolist(), strict=True) if a < b and video[a] != video[b]
    ]
    false = sum(are_copies(pixels[a], pixels[b]) for a, b in pairs)
    seconds = time.perf_counter() - start
    most = np.array([correlations(pixels[a], pixels[b]) for a, b in pairs])
    return {
        "images": len(encoded),
        "pairs": (len(encoded) ** 2 - int((np.bincount(video) ** 2).sum())) // 2,
        "near": len(pairs),
        "called_copies": false,
        "highest_correlation": [round(float(one), 4) for one in most.max(axis=0)],
        "least_correlation_of_a_copy": [ALIKE, ALIKE_DETAIL],
        "seconds": round(seconds, 1),
        "copies_found": _found(encoded, pixels, hashes),
    }


def _found(
    encoded: list[bytes], pixels: list[NDArray[np.uint8]], hashes: NDArray[np.uint64]
) -> dict[str, float]:
    found: Counter[str] = Counter()
    for row in generator("intake", "copied").choice(len(encoded), COPIED, replace=False).tolist():
        for name, image in copies(encoded[row]):
            one = small(image, "")
            near = len(near_pairs(np.array([hashed(one)], np.uint64), hashes[row : row + 1])[0])
            found[name] += bool(near and are_copies(one, pixels[row]))
    return {name: round(found[name] / COPIED, 4) for name, _ in copies(encoded[0])}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--demo", default="shards/demo")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cells = [(CASES[0], flipped) for flipped in FLIPPED]
    cells += [(case, flipped) for flipped in (0.0, 0.5) for case in CASES[1:]]
    rows = []
    for case, flipped in cells:
        rows += [labels(area, case, flipped, given.repeats) for area in AREAS]
        print(*(json.dumps(row) for row in rows[-2:]), sep="\n", file=sys.stderr, flush=True)
    found = {"duplicates": duplicates(given.demo), "repeats": given.repeats, "labels": rows}
    give(found, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
