"""Crops of the generator as it was, which a change that is not meant to must not move.

After a change that is meant to move pictures: python -m tests.synth.pictures
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.output.generate import generate

FOLDER = Path(__file__).parents[1] / "fixtures/pictures"
SCALE = Scale("fixture", 32, {"*": {"train": 2, "validation": 1, "test": 2}}, videos=1, frames=2)
DOMAINS = ("C", "I")
WRITTEN = (2026, 1, 1, 0, 0, 0)  # the same file from the same crops


def now(domain: str) -> dict[str, bytes]:
    """The crops that the generator makes, by key."""
    return {sample.key: sample.image for sample in generate(domain, SCALE, 0)}


def then(domain: str) -> dict[str, bytes]:
    """The crops that it made when they were written."""
    with zipfile.ZipFile(FOLDER / f"{domain}.zip") as archive:
        return {name.removesuffix(".jpg"): archive.read(name) for name in archive.namelist()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in DOMAINS:
        with zipfile.ZipFile(FOLDER / f"{name}.zip", "w") as file:
            for key, image in now(name).items():
                file.writestr(zipfile.ZipInfo(f"{key}.jpg", WRITTEN), image)
