"""Make people of one colour for each class, so that a model is trained in seconds, and an attack it misses.

Live faces are green, prints are red. A mask is a bluish: a model that knows green and red alone takes it
for a live face, and one that was trained with masks tells it easily.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import Sample, Split
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store

SIDE = 40
COLOURS = {"live": (70, 170, 90), "print": (170, 80, 70), "mask": (70, 150, 200)}
PEOPLE: Mapping[Split, int] = {"train": 24, "validation": 24, "test": 90}


def people(
    domain: str,
    kinds: tuple[str, ...] = ("live", "print"),
    sizes: Mapping[Split, int] = PEOPLE,
    prefix: str = "",
) -> Iterator[Sample]:
    """Yield one picture of each kind for each person of a domain.

    Args:
        domain: name of the domain; each has a brightness of its own.
        kinds: `live` and attack types.
        sizes: number of people by split.
        prefix: beginning of their names, so that two calls make different people.
    """
    for split, count in sizes.items():
        for number in range(count):
            for kind in kinds:
                yield one(domain, split, f"{prefix}{split}{number:03d}", kind)


def one(domain: str, split: Split, name: str, kind: str) -> Sample:
    """Return the picture of a person."""
    rng = generator("colour", domain, name, kind)
    light = {"A": 0.9, "B": 1.1}.get(domain, 1.0) * rng.uniform(0.8, 1.2)
    colour = np.array(COLOURS[kind]) * light + rng.normal(0, 14, 3)
    coarse = colour + rng.normal(0, 20, (5, 5, 3))
    image = np.clip(cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    depth = np.full((32, 32), 200 if kind == "live" else 0, np.uint8)
    return Sample(
        key=f"{domain}-{name}_{kind}-000",
        domain=domain,
        split=split,
        label=int(kind == "live"),
        attack_type=kind,
        subject=f"{domain}_{name}",
        video=f"{name}_{kind}",
        frame=0,
        image=simplejpeg.encode_jpeg(image, quality=92),
        image_ext="jpg",
        depth=cv2.imencode(".png", depth)[1].tobytes(),
    )


def flipped(sample: Sample) -> Sample:
    """Return a picture with the label of the other class, as a supplier who mistakes 0 for 1 labels it."""
    label = 1 - sample.label
    depth = cv2.imencode(".png", np.full((32, 32), 200 * label, np.uint8))[1].tobytes()
    return replace(sample, label=label, attack_type="live" if label else "print", depth=depth)


def publish(place: Path, domains: str = "AB") -> None:
    """Publish domains with live faces and prints."""
    for domain in domains:
        pack(people(domain), open_store(str(place)), domain, contract={})
