"""Make the sets of recordings: each drawn domain as it is, and with one part of its physics changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.transfer.design import Settings
from bench.transfer.physics import base_cards, few_pixels, many_pixels, resolved, unresolved
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import LIVE, Sample, Split
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import json_bytes
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.domain import PRINTED, Domain
from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.output.generate import contract, plan, render

# How the card of a set is made from a drawn one, attacks included. Live faces are in all sets.
CHANGES: Mapping[str, Callable[[Domain], Domain]] = {
    "drawn": lambda card: card,
    "resolved": resolved,
    "unresolved": unresolved,
    "prints": lambda card: replace(card, attacks=tuple(a for a in card.attacks if a in PRINTED)),
    "replays": lambda card: replace(card, attacks=tuple(a for a in card.attacks if a not in PRINTED)),
    "few_pixels": few_pixels,
    "many_pixels": many_pixels,
}


def domains(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the names of the domains that are trained on, and of those that are judged in."""
    names = list(base_cards(settings.domains + settings.judged, settings.drawn))
    return names[: settings.domains], names[settings.domains :]


def set_folder(folder: Path, name: str) -> Path:
    """Return the prefix of a set's domains."""
    return folder / "data" / name


def planned(domain: str, settings: Settings) -> dict[str, list[Video]]:
    """Return the recordings of a domain in every set: of training people, or of others if it is judged in.

    Raises:
        ConfigError: a setting is out of range.
    """
    card = base_cards(settings.domains + settings.judged, settings.drawn)[domain]
    split: Split = "train" if domain in domains(settings)[0] else "test"
    scale, found = _scale(domain, settings), {}
    for name, change in CHANGES.items():
        videos = plan(domain, scale, settings.drawn, None, 0.0, {domain: change(card)})
        found[name] = [video for video in videos if video.split == split]
    return found


def missing(domain: str, settings: Settings, folder: Path) -> list[str]:
    """Return the sets in which a domain does not exist yet.

    Raises:
        RunError: the domain was made with other settings or by another version of the generator.
    """
    left, plans = [], planned(domain, settings)
    contracts = _contracts(plans, settings)
    for name in plans:
        store = open_store(str(set_folder(folder, name)))
        if not versions(store, domain):
            left.append(name)
        elif json_bytes(Manifest.open(store, domain).contract) != json_bytes(contracts[name]):
            raise RunError(
                f"domain {domain} under {store.url} was made with other settings or another generator version",
                "give another --keep, or delete this one to make all domains again",
            )
    return left


def code(settings: Settings, folder: Path) -> str | None:
    """Return the hash of the generator's code that made the sets; None if they do not exist yet."""
    store, domain = open_store(str(set_folder(folder, "drawn"))), domains(settings)[0][0]
    if not versions(store, domain):
        return None
    return str(Manifest.open(store, domain).contract["code"])


def make(domain: str, settings: Settings, folder: Path) -> None:
    """Render the sets of a domain that are missing, and publish them.

    Raises:
        RunError: see `missing`.
    """
    import cv2

    cv2.setNumThreads(1)
    plans, wanted = planned(domain, settings), missing(domain, settings, folder)
    contracts = _contracts(plans, settings)
    samples: dict[str, list[Sample]] = {name: [] for name in wanted}
    for _, group in groupby(_together(plans, wanted), key=lambda item: item[1].subject):
        # A person is painted once, and a recording that several sets share is rendered once.
        rendered: dict[str, list[Sample]] = {}
        for name, video in group:
            key = _decides(video)
            if key not in rendered:
                rendered[key] = render(video)
            samples[name] += rendered[key]
    for name in wanted:
        store = open_store(str(set_folder(folder, name)))
        pack(samples[name], store, domain, contract=contracts[name])


def _together(plans: Mapping[str, list[Video]], wanted: Iterable[str]) -> list[tuple[str, Video]]:
    """Return the recordings of several sets, person by person."""
    every = [(name, video) for name in wanted for video in plans[name]]
    return sorted(every, key=lambda item: item[1].subject)


def _decides(video: Video) -> str:
    """Return what distinguishes a recording from the same one in another set."""
    card = video.card
    shown = () if video.attack_type == LIVE else card.papers if video.attack_type in PRINTED else card.screens
    return repr((video.name, card.cameras, shown))


def _contracts(plans: Mapping[str, list[Video]], settings: Settings) -> dict[str, dict[str, Any]]:
    """Return what decides the bytes of each set. The generator's code is hashed once."""
    first = next(iter(plans.values()))
    shared = contract(_scale(first[0].domain, settings), first) | {"split": first[0].split}
    return {name: shared | {"card": asdict(videos[0].card)} for name, videos in plans.items()}


def _scale(domain: str, settings: Settings) -> Scale:
    people: Mapping[Split, int] = {"train": settings.people, "validation": 1, "test": settings.others}
    return Scale("transfer", settings.size, {domain: people}, videos=1, frames=1)
