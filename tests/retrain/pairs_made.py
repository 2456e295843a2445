"""Make small sets of paired scores for the tests of the gate."""

from __future__ import annotations

from typing import Any

import numpy as np

from rfmeta_dist.core.types import LIVE
from rfmeta_dist.retrain.pairs import FROZEN, NEW, Pairs


def made(
    groups: list[tuple[str, str, str, int, int, int]], *, videos_each: int = 1, seed: int = 0, **other: Any
) -> Pairs:
    """Return pairs with given numbers of disagreements; both thresholds are 0.5, and nobody else errs.

    Args:
        groups: domain, attack type, part, number of videos, number that only the champion gets wrong, number
            that only the challenger gets wrong.
        videos_each: videos of one type by one person.
        seed: of the scores' distances to the threshold, which are distinct.
        other: columns that replace those made here.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    for domain, kind, part, n, only_champion, only_challenger in groups:
        for i in range(n):
            wrong = np.array([i < only_champion, only_champion <= i < only_champion + only_challenger])
            accepted = wrong != (kind == LIVE)
            score = 0.5 + np.where(accepted, 1, -1) * rng.uniform(0.05, 0.45, 2)
            person = f"{domain}-{part}-{i // videos_each}"
            rows.append((f"{domain}-{part}-{kind}-{i}", domain, person, kind, part, *score))
    keys, domains, subjects, kinds, parts, champion, challenger = (
        list(column) for column in zip(*rows, strict=True)
    )
    columns: dict[str, Any] = {
        "key": keys,
        "domain": domains,
        "subject": subjects,
        "attack_type": kinds,
        "label": [int(one == LIVE) for one in kinds],
        "about": [""] * len(keys),
        "batch": ["b1" if one == NEW else "" for one in parts],
        "part": parts,
        "counted": [True] * len(keys),
        "champion": champion,
        "challenger": challenger,
        "thresholds": (0.5, 0.5),
        "packages": ("c" * 64, "d" * 64),
    }
    return Pairs(**columns | other)


def frozen(
    kinds: dict[str, tuple[int, int, int]], domain: str = "O"
) -> list[tuple[str, str, str, int, int, int]]:
    """Return groups of the frozen part from `videos, only the champion wrong, only the challenger wrong`."""
    return [(domain, kind, FROZEN, *numbers) for kind, numbers in kinds.items()]


def new(kinds: dict[str, tuple[int, int, int]], domain: str = "O") -> list[tuple[str, str, str, int, int, int]]:
    """Return groups of the new part, as `frozen` does."""
    return [(domain, kind, NEW, *numbers) for kind, numbers in kinds.items()]
