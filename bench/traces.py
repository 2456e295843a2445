"""Measure what recapture leaves in the generated domains: sizes of dots and pixels, lost or added detail.

    python -m bench.traces [--people 12] [--size 256] [--folder FILLED] [--out FILE]

First table: for every card, the period of its dots and pixels in sensor pixels and in pixels of the stored
crop, computed from the physical figures, and the share of recordings in which they are too fine to be resolved.

Second table: by how many standard deviations of the live faces of the same domain attacks differ from live
faces in fine detail, by kind of attack. A negative value means that attacks have less detail. `--folder`
measures existing shards, such as those of an earlier version.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.result import give
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.domain import PRINTED, Domain
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.instruments.prints import MM_PER_INCH
from rfmeta_dist.synth.optics.framing import FACE_WIDTH
from rfmeta_dist.synth.output.generate import plan, render

DRAWS = 4000
HALF = 0.77  # half width of a crop in face units, the middle of the range that is drawn
NYQUIST = 2.0  # pixels per period below which a pattern is not resolved

Pixels = NDArray[np.uint8]


def sizes(card: Domain, size: int) -> dict[str, Any]:
    """Return periods of a card's dots and pixels by instrument: quantiles over what may be drawn."""
    rng = np.random.default_rng(0)
    cameras = [card.cameras[k] for k in rng.integers(len(card.cameras), size=DRAWS)]
    density = np.array([c.density(rng.uniform(*c.distance)) for c in cameras])
    printed = bool(PRINTED & set(card.attacks))
    found = {}
    for k, paper in enumerate(card.papers if printed else ()):
        period = MM_PER_INCH / rng.uniform(*paper.lpi, DRAWS) * FACE_WIDTH / rng.uniform(*paper.face, DRAWS)
        found[paper.name or f"paper {k + 1}"] = period
    for k, screen in enumerate(card.screens):
        period = MM_PER_INCH / screen.ppi * FACE_WIDTH / rng.uniform(*screen.face, DRAWS)
        found[screen.name or f"screen {k + 1}"] = period
    return {
        name: {
            "sensor_pixels": np.round(np.quantile(period * density, (0.05, 0.5, 0.95)), 2).tolist(),
            "crop_pixels": np.round(np.quantile(period * size / (2 * HALF), (0.05, 0.5, 0.95)), 3).tolist(),
            "unresolved": round(float(np.mean(period * density < NYQUIST)), 3),
        }
        for name, period in found.items()
    }


def traces(picture: Pixels) -> dict[str, float]:
    """Return logarithms of fine detail in the middle of a crop: residual of a blur, highest band, edges."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    rows, columns = (slice(side // 5, side - side // 5) for side in grey.shape)
    grey = grey[rows, columns]
    residual = grey - cv2.GaussianBlur(grey, (0, 0), 1.0)
    spectrum = np.abs(np.fft.rfft2((grey - grey.mean()) * np.outer(*(np.hanning(n) for n in grey.shape)))) ** 2
    frequency = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.rfftfreq(grey.shape[1]))
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    values = {
        "residual": residual.std(),
        "high_band": spectrum[frequency > 0.35].sum(),
        "edges": np.quantile(np.hypot(across, down), 0.95),
    }
    return {name: float(np.log(value + 1e-6)) for name, value in values.items()}


def compared(folder: str, domain: str, size: int) -> dict[str, Any]:
    """Return attacks less live faces by kind, in standard deviations of the live faces."""
    store = open_store(folder)
    manifest = Manifest.open(store, domain)
    kinds = {row["key"]: row["attack_type"] for shard in manifest.shards for row in manifest.rows(shard)}
    values: dict[str, list[list[float]]] = defaultdict(list)
    names: list[str] = []
    for batch in scan(store, manifest, None, image_size=size, batch=16):
        for key, picture in zip(batch.keys, batch.image, strict=True):
            found = traces(picture)
            names = list(found)
            values[kinds[key]].append(list(found.values()))
    live = np.array(values.pop(LIVE))
    return {
        kind: dict(
            zip(names, np.round((np.mean(rows, 0) - live.mean(0)) / live.std(0), 2).tolist(), strict=True)
        )
        for kind, rows in sorted(values.items())
    }


def generate(folder: str, people: int, size: int) -> None:
    """Generate all bundled domains without spurious cues."""
    split = {"train": people, "validation": 1, "test": 1}
    scale = replace(SCALES["small"], size=size, subjects={"*": split}, videos=1, frames=1)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for name in DOMAINS:
            samples = chain.from_iterable(pool.map(render, plan(name, scale, 0, None, 0.0), chunksize=4))
            pack(samples, open_store(folder), name, contract={})


def main() -> None:
    """Print both tables as JSON."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=12)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--folder", help="prefix of shards of O, C, I and M to measure; made if not given")
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    result: dict[str, Any] = {"sizes": {name: sizes(card, chosen.size) for name, card in DOMAINS.items()}}
    for folder in _folders(chosen.folder, chosen.people, chosen.size):
        result["traces"] = {name: compared(folder, name, chosen.size) for name in DOMAINS}
    give(result, chosen.out)


def _folders(given: str | None, people: int, size: int) -> Iterator[str]:
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="rfmeta-traces-") as folder:
        generate(folder, people, size)
        yield folder


if __name__ == "__main__":
    main()
