"""A contact sheet: what each domain looks like, live faces and attacks beside their depth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.types import Sample
from rfmeta_dist.synth.camera import decode_jpeg
from rfmeta_dist.synth.film import CLASSES
from rfmeta_dist.synth.generate import plan, render
from rfmeta_dist.synth.scale import Scale

PER_CLASS = 2
GAP = 4


def contact_sheet(domains: Iterable[str], scale: Scale, seed: int, identities: Path | None = None) -> bytes:
    """PNG bytes: a row a domain; live, print and replay examples in columns, each beside its depth.

    Errors as `generate.plan`.
    """
    rows = [_row(domain, scale, seed, identities) for domain in domains]
    sheet = np.vstack(rows)
    return bytes(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1])


def _row(domain: str, scale: Scale, seed: int, identities: Path | None) -> NDArray[np.uint8]:
    videos = plan(domain, scale, seed, identities)
    cells = []
    for attack_type in CLASSES:
        chosen = [v for v in videos if v.attack_type == attack_type]
        # Every class shows the same people, so that only the class differs along a row.
        stride = max(1, len(chosen) // PER_CLASS)
        cells += [_cell(render(v)[-1]) for v in chosen[::stride][:PER_CLASS]]
    return np.hstack(cells)


def _cell(sample: Sample) -> NDArray[np.uint8]:
    """A crop and its depth at half size, with a gap around them."""
    picture = decode_jpeg(sample.image)
    size = picture.shape[0]
    depth = cv2.imdecode(np.frombuffer(sample.depth, np.uint8), cv2.IMREAD_GRAYSCALE)
    inset = np.full((size, size // 2, 3), 64, np.uint8)
    inset[: size // 2] = cv2.resize(depth, (size // 2, size // 2), interpolation=cv2.INTER_NEAREST)[..., None]
    return np.pad(np.hstack([picture, inset]), ((0, GAP), (0, GAP), (0, 0)))
