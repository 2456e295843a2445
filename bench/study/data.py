"""Make the study's data: named and drawn domains at each rho, generated once by this package."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.study.design import DOMAINS, data_folder, drawn_names
from rfmeta_dist.cli.scales import KNOWN
from rfmeta_dist.cli.synth import Planned, generate_domains
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.card import DOMAINS as CARDS
from rfmeta_dist.synth.domains.drawn import drawn as draw
from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.output.generate import contract, plan

# The seed is the same at every rho, so that only the spurious cues differ.
SEED = 0


def scale_of(name: str, size: int) -> Scale:
    """Return how much to generate: one of `rfmeta synth`'s scales at this image size.

    Raises:
        ConfigError: there is no such scale.
    """
    if name not in KNOWN:
        raise ConfigError(f"there is no scale {name!r}", f"choose from {', '.join(KNOWN)}")
    return replace(KNOWN[name], size=size)


def with_drawn(scale: Scale, count: int) -> Scale:
    """Return a scale whose drawn domains have, all together, about as many people as three named ones.

    Args:
        scale: scale of the named domains.
        count: number of drawn domains. They are not judged on, so each has the minimum of one test person.
    """
    named = scale.subjects["*"]
    people: Mapping[Split, int] = {
        "train": max(1, round(3 * named["train"] / count)),
        "validation": max(1, round(3 * named["validation"] / count)),
        "test": 1,
    }
    return replace(scale, subjects={**scale.subjects, **dict.fromkeys(drawn_names(count), people)})


def plans(rho: float, scale: Scale, drawn: int) -> dict[str, Planned]:
    """Return what is generated at a rho, by domain: the named domains, then the drawn ones."""
    cards = dict(CARDS)
    if drawn:
        cards |= draw(drawn, SEED)
        scale = with_drawn(scale, drawn)
    found = {}
    for name in (*DOMAINS, *drawn_names(drawn)):
        videos = plan(name, scale, SEED, None, rho, cards)
        found[name] = Planned(videos, contract(scale, videos))
    return found


def generate(folder: Path, rhos: Sequence[float], scale: Scale, workers: int | None, drawn: int = 0) -> None:
    """Make the domains that do not exist yet, in a Ray session, with progress. Interrupted work resumes.

    Args:
        folder: folder of the study.
        rhos: a data set is made for each.
        scale: scale of the named domains.
        workers: processes that render; one for each core if None.
        drawn: number of further domains, drawn at random.

    Raises:
        RunError: a domain exists at another scale, or some are missing and the generator has changed since the
            others were made. All trainings of a study must see data of one version.
    """
    missing: dict[str, dict[str, Planned]] = {}
    made = set()
    for rho in rhos:
        out = str(data_folder(folder, rho))
        for name, planned in plans(rho, scale, drawn).items():
            found = _contract(out, name, planned.contract)
            if found is None:
                missing.setdefault(out, {})[name] = planned
            made.add((found or planned.contract)["code"])
    if missing and len(made) > 1:
        raise RunError(
            f"some domains under {folder / 'data'} are missing, and the generator has changed since the others "
            "were made: a study needs domains of one version",
            "give another --folder, or delete this one to make all domains again",
        )
    if missing and not _commit_file(folder).exists():
        _commit_file(folder).parent.mkdir(parents=True, exist_ok=True)
        _commit_file(folder).write_text(_commit())
    for out, left in missing.items():
        generate_domains(out, left, workers, quiet=False)


def fingerprints(folder: Path, rhos: Sequence[float], drawn: int = 0) -> dict[str, dict[str, str]]:
    """Return the fingerprints of the manifests that exist, by rho and domain."""
    names = (*DOMAINS, *drawn_names(drawn))
    found: dict[str, dict[str, str]] = {}
    for rho in rhos:
        store = open_store(str(data_folder(folder, rho)))
        there = {d: Manifest.open(store, d).fingerprint for d in names if versions(store, d)}
        if there:
            found[f"{rho:g}"] = there
    return found


def commit(folder: Path) -> str | None:
    """Return the commit of this repository that made the data, as `git describe` names it; None if unknown."""
    file = _commit_file(folder)
    return (file.read_text() or None) if file.is_file() else None


def _commit_file(folder: Path) -> Path:
    return folder / "data" / "commit"


def _commit() -> str:
    """Return the present commit, with `-dirty` if files differ from it; empty outside of a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _contract(out: str, name: str, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return how a domain was made; None if it does not exist."""
    store = open_store(out)
    if not versions(store, name):
        return None
    made = Manifest.open(store, name).contract
    for field in ("scale", "seed", "rho"):
        if made.get(field) != wanted[field]:
            raise RunError(
                f"domain {name} under {store.url} was made with {field} {made.get(field)}, not {wanted[field]}",
                "give another --folder, or the options that the domain was made with",
            )
    return made
