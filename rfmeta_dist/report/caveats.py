"""Say what limits a comparison of methods, and whether the papers' figures are of the same domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.evaluation import paired
from rfmeta_dist.report import contestants, published

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rfmeta_dist.report.contestants import Contestant

ONE_SEED = (
    "There is one pair of runs on each target. So the verdicts are about these trained models on other people, "
    "and not about what another training with the same method would give"
)
FEW_SEEDS = (
    "Few seeds say little about other trainings: in simulations, equal methods were called different in up to "
    "8 % of cases with three seeds on one target, and in up to 12 % with two"
)
FEW = 4  # degrees of freedom between seeds below which FEW_SEEDS is said


def of(
    found: Sequence[Contestant],
    by_method: Mapping[str, Sequence[Contestant]],
    couples: Sequence[tuple[str, str]],
) -> list[str]:
    """Return sentences about what limits a comparison, without full stops.

    Args:
        found: all runs.
        by_method: the runs of each method.
        couples: the pairs of methods that are compared.
    """
    notes, freedom = [], []
    for method, baseline in couples:
        some, others = ([one.run for one in by_method[name]] for name in (method, baseline))
        both = paired.pairs(some, others)
        used = {id(run) for pair in both for run in pair}
        left = sum(id(run) not in used for run in (*some, *others))
        shared = {run.target for run, _ in both}
        if left:
            notes.append(
                f"{left} of {len(some) + len(others)} runs of {method} and {baseline} have no partner with the "
                "same target and seed, so they are left out of that difference, which is over "
                f"{', '.join(sorted(shared))}"
            )
        freedom.append(len(both) - len(shared))
    if min(freedom) == 0:
        notes.append(ONE_SEED)
    elif min(freedom) < FEW:
        notes.append(FEW_SEEDS)
    fields = [name for name in contestants.differing(found) if not name.startswith("method.")]
    if fields:
        notes.append(f"The configurations differ in {', '.join(fields)} too, and not only in the method")
    return notes


def as_published(found: Sequence[Contestant]) -> bool:
    """Return True if the targets and their sources are the four of the papers' figures."""

    def place(split: str) -> tuple[frozenset[str], str]:
        sources, _, target = split.partition("→")
        return frozenset(sources.split("&")), target

    wanted = {place(split) for split in published.SPLITS}
    return wanted == {(frozenset(one.sources), one.run.target) for one in found}
