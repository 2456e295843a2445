"""Distribute people, made up or from portraits, to domains and splits without overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Protocol

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.seeds import permutation, seed
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.domain import Domain
from rfmeta_dist.synth.domains.scale import Scale
from rfmeta_dist.synth.person.bust import Bust, paint_bust
from rfmeta_dist.synth.person.portraits import Portrait, Survey, survey

Place = tuple[str, Split]  # domain and split


class Identity(Protocol):
    """A person who can be painted."""

    def bust(self, resolution: int) -> Bust:
        """Return the person over the face canvas at N×N pixels."""
        ...


@dataclass(frozen=True)
class MadeUp:
    """A made-up person. Equal numbers are the same person; see `paint_bust`."""

    number: int

    def bust(self, resolution: int) -> Bust:
        """Return the person over the face canvas at N×N pixels."""
        return paint_bust(self.number, resolution)


def cast(
    domain: str,
    scale: Scale,
    base_seed: int,
    portraits: Path | Survey | None,
    domains: Mapping[str, Domain] = DOMAINS,
) -> list[tuple[Split, Identity]]:
    """Return the people of one domain with their splits, in a fixed order.

    No person and no group of look-alikes is in two domains or two splits. A user's own domain does not change
    the people of the bundled ones: it gets portraits that they leave over.

    Args:
        domain: a name in `domains`.
        scale: how many people each split has.
        base_seed: seed of the data set.
        portraits: folder of portraits, or what `survey` found in one; None for made-up people.
        domains: all domains that share the portraits.

    Raises:
        DataError: the folder is missing, or has too few portraits for all domains at this scale.
    """
    if portraits is None:
        counts = scale.subjects_of(domains[domain])
        return [
            (split, MadeUp(seed("identity", base_seed, domain, split, number)))
            for split in SPLITS
            for number in range(counts[split])
        ]
    own = [card for name, card in domains.items() if name not in DOMAINS]
    rounds = [_needs(scale, cards) for cards in (DOMAINS.values(), own)]
    found = portraits if isinstance(portraits, Survey) else survey(portraits.resolve())
    places = _deal(found, rounds, base_seed)
    return [(split, person) for split in SPLITS for person in places[domain, split]]


def _needs(scale: Scale, cards: Iterable[Domain]) -> dict[Place, int]:
    return {(card.name, split): scale.subjects_of(card)[split] for card in cards for split in SPLITS}


def _deal(found: Survey, rounds: list[dict[Place, int]], base_seed: int) -> dict[Place, list[Portrait]]:
    """Give each place whole groups until it has enough people, one round of places after the other.

    The smallest groups go first, each to the place that lacks most people, so that look-alikes are used only
    when distinct people run out.
    """
    needs = {place: count for places in rounds for place, count in places.items()}
    held: dict[Place, list[tuple[Portrait, ...]]] = {place: [] for place in needs}
    order = permutation(len(found.groups), "groups", base_seed)
    shuffled = [found.groups[i] for i in order]
    waiting, short = sorted(shuffled, key=len), 0
    for places in rounds:
        lacking = dict(places)
        while waiting and max(lacking.values(), default=0) > 0:
            place, group = max(lacking, key=lacking.__getitem__), waiting.pop(0)
            held[place].append(group)
            lacking[place] -= len(group)
        short += sum(max(0, lack) for lack in lacking.values())
    if short:
        raise DataError(
            f"{sum(needs.values())} portraits are needed, but {found.folder} has {found.usable} usable ones in "
            f"{len(found.groups)} look-alike groups; as no group is divided between domains or splits, {short} "
            "are missing",
            "add portraits, choose a smaller scale, or leave out the folder to generate made-up faces",
        )
    return {place: _breadth_first(held[place])[:count] for place, count in needs.items()}


def _breadth_first(groups: Iterable[tuple[Portrait, ...]]) -> list[Portrait]:
    """Return one person of each group, then a second one of each, and so on."""
    return [person for person in chain.from_iterable(zip_longest(*groups)) if person is not None]
