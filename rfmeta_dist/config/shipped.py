"""Find the files that are shipped with the package, in an installed package or in a checkout."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.errors import InstallationError

PACKAGE = Path(__file__).resolve().parents[1]
# Each pair gives the place in an installed package and the place in a checkout.
CARDS = (PACKAGE / "synth/cards", PACKAGE.parent / "shards/generated")
JOBS = (PACKAGE / "jobs", PACKAGE.parent / "jobs")


def shipped(places: tuple[Path, Path], *needed: str) -> Path:
    """Return the first of the two folders that exists and holds what is needed.

    Args:
        places: `CARDS` or `JOBS`.
        needed: names of what must be in the folder.

    Raises:
        InstallationError: neither does.
    """
    for place in places:
        if place.is_dir() and all((place / name).exists() for name in needed):
            return place
    raise InstallationError(f"{places[0]} is missing from the installation", "install rfmeta_dist again")
