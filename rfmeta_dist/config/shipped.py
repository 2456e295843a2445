"""Find the example files that come with rfmeta_dist, in an installed package or in a checkout."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.errors import InstallationError

PACKAGE = Path(__file__).resolve().parents[1]
# Each pair gives the place in an installed package and the place in a checkout.
CARDS = (PACKAGE / "synth/cards", PACKAGE.parent / "shards/generated")
JOBS = (PACKAGE / "jobs", PACKAGE.parent / "jobs")
DEMO_SHARDS = PACKAGE.parent / "shards/demo"  # only in a checkout: too large for an installed package


def shipped(places: tuple[Path, Path], *needed: str) -> Path:
    """Return the first of two folders that exists and contains the needed files.

    Args:
        places: `CARDS` or `JOBS`.
        needed: names of files or folders that must be in the folder.

    Raises:
        InstallationError: neither folder does.
    """
    for place in places:
        if place.is_dir() and all((place / name).exists() for name in needed):
            return place
    raise InstallationError(f"{places[0]} is missing from the installation", "install rfmeta_dist again")
