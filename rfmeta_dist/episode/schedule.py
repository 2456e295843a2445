"""Step → the order of the source domains; all but the last are meta-train, the last is meta-test."""

from __future__ import annotations

from typing import Literal

from rfmeta_dist.core.seeds import permutation

Schedule = Literal["uniform", "balanced"]


def domain_order(seed: int, step: int, domains: int, schedule: Schedule = "uniform") -> tuple[int, ...]:
    """The permutation of 0 … domains−1 for a step.

    Args:
        seed: the run's seed.
        step: the training step, from 0.
        domains: N ≥ 2 source domains.
        schedule: `uniform` draws each step independently (the paper); `balanced` makes each domain the
            meta-test domain once in every N steps, in random order.
    """
    order = [int(d) for d in permutation(domains, seed, "episode", step)]
    if schedule == "balanced":
        cycle, position = divmod(step, domains)
        test = int(permutation(domains, seed, "cycle", cycle)[position])
        order = [d for d in order if d != test] + [test]
    return tuple(order)
