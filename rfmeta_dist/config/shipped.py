"""Where the files are that come along with the package: in an installed one, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.errors import InstallationError

PACKAGE = Path(__file__).resolve().parents[1]
# In a package, in a checkout.
CARDS = (PACKAGE / "synth/cards", PACKAGE.parent / "shards/generated")
JOBS = (PACKAGE / "jobs", PACKAGE.parent / "jobs")


def shipped(places: tuple[Path, Path], *needed: str) -> Path:
    """Return the folder that is there.

    Args:
        places: `CARDS` or `JOBS`.
        needed: names of what must be in the folder.

    Raises:
        InstallationError: neither is there.
    """
    for place in places:
        if place.is_dir() and all((place / name).exists() for name in needed):
            return place
    raise InstallationError(f"{places[0]} is missing from the installation", "install rfmeta_dist again")
