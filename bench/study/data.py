"""The study's data: the four domains at each rho, made once by the project's own generator."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.study.design import DOMAINS, data_folder
from rfmeta_dist.cli.synth import Planned, generate_domains
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.scale import SCALES, Scale
from rfmeta_dist.synth.output.generate import contract, plan

# Many people with few frames each: with the people of the real data sets, networks of this size learn those
# people by heart. The same seed at every rho, so that only the spurious cues differ.
STUDY: Mapping[Split, int] = {"train": 150, "validation": 30, "test": 30}
SEED = 0


def scale_of(name: str, size: int) -> Scale:
    """How much to generate: `study`, or one of `rfmeta synth`'s scales at this image size.

    Raises:
        ConfigError: no such scale.
    """
    if name == "study":
        return Scale("study", size, {"*": STUDY}, videos=2, frames=2)
    if name not in SCALES:
        raise ConfigError(f"there is no scale {name!r}", f"use study, {', '.join(SCALES)}")
    known = SCALES[name]
    return Scale(name, size, known.subjects, known.videos, known.frames, known.every_attack)


def generate(folder: Path, rhos: Sequence[float], scale: Scale, workers: int | None) -> None:
    """Make what is not there yet; in a Ray session, with progress. Interrupted, it goes on from there.

    Raises:
        RunError: a domain is there at another scale, or some are missing and the generator has changed since
            the others were made: all trainings of a study should see data of one kind.
    """
    missing: dict[str, dict[str, Planned]] = {}
    made = set()
    for rho in rhos:
        out = str(data_folder(folder, rho))
        for name in DOMAINS:
            videos = plan(name, scale, SEED, None, rho)
            wanted = contract(scale, videos)
            found = _contract(out, name, wanted)
            if found is None:
                missing.setdefault(out, {})[name] = Planned(videos, wanted)
            made.add((found or wanted)["code"])
    if missing and len(made) > 1:
        raise RunError(
            f"some domains under {folder / 'data'} are missing, and the generator has changed since the others",
            "give another --folder, or remove this one",
        )
    if missing and not _commit_file(folder).exists():
        _commit_file(folder).parent.mkdir(parents=True, exist_ok=True)
        _commit_file(folder).write_text(_commit())
    for out, plans in missing.items():
        generate_domains(out, plans, workers, quiet=False)


def fingerprints(folder: Path, rhos: Sequence[float]) -> dict[str, dict[str, str]]:
    """By rho and domain, the fingerprint of the manifest; of those that are there."""
    found: dict[str, dict[str, str]] = {}
    for rho in rhos:
        store = open_store(str(data_folder(folder, rho)))
        there = {d: Manifest.open(store, d).fingerprint for d in DOMAINS if versions(store, d)}
        if there:
            found[f"{rho:g}"] = there
    return found


def commit(folder: Path) -> str | None:
    """Which commit of this repository made the data, as `git describe` names it; None if that is not known."""
    file = _commit_file(folder)
    return (file.read_text() or None) if file.is_file() else None


def _commit_file(folder: Path) -> Path:
    return folder / "data" / "commit"


def _commit() -> str:
    """Empty outside of a git checkout; with `-dirty` if files differ from the commit's."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _contract(out: str, name: str, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """How a domain was made, None if it is not there."""
    store = open_store(out)
    if not versions(store, name):
        return None
    made = Manifest.open(store, name).contract
    for field in ("scale", "seed", "rho"):
        if made.get(field) != wanted[field]:
            raise RunError(
                f"domain {name} under {store.url} was made with {field} {made.get(field)}, not {wanted[field]}",
                "give another --folder, or the options that it was made with",
            )
    return made
