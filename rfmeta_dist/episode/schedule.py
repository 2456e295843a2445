"""Choose the source domains of an episode and their batches; the last is meta-test, the others meta-train."""

from __future__ import annotations

from typing import Literal, NamedTuple

from rfmeta_dist.core.seeds import permutation

Schedule = Literal["uniform", "balanced"]


class Turn(NamedTuple):
    """One domain of an episode and its batch.

    Attributes:
        domain: index of the domain among the N source domains, from 0.
        batch: index of the batch in the domain's stream, from 0.
    """

    domain: int
    batch: int


def turns(
    seed: int, episode: int, domains: int, chosen: int, schedule: Schedule = "uniform"
) -> tuple[Turn, ...]:
    """Return the domains of an episode in order, each with the batch that it contributes.

    Batches of a domain are used in order and without gaps: the first episode that uses a domain gets its batch
    0, the next one batch 1, and so on.

    An episode of all domains has the order of `domain_order`. An episode of fewer domains belongs to a cycle of
    N episodes, in which every domain takes each position once. So within a cycle every domain is used `chosen`
    times and is the meta-test domain once, whatever the schedule. In a single episode, every ordered choice of
    domains is equally likely.

    Args:
        seed: the run's seed.
        episode: number of the episode within the run, from 0.
        domains: N, the number of source domains, at least 2.
        chosen: number of domains in an episode, 2 … N.
        schedule: order of the domains in an episode of all domains; see `domain_order`.
    """
    if chosen == domains:
        return tuple(Turn(d, episode) for d in domain_order(seed, episode, domains, schedule))
    cycle, number = divmod(episode, domains)
    # Place the domains on a circle in random order. Each position of the episode starts at a different random
    # seat and moves on by one seat per episode. So within a cycle each position visits every domain once.
    circle = permutation(domains, seed, "circle", cycle).tolist()
    offsets = permutation(domains, seed, "offsets", cycle).tolist()[:chosen]
    seats = [(number + offset) % domains for offset in offsets]
    # A seat is used in the episodes (seat − offset) mod N of the cycle. Count those before this episode.
    earlier = [sum((seat - offset) % domains < number for offset in offsets) for seat in seats]
    return tuple(Turn(circle[seat], cycle * chosen + used) for seat, used in zip(seats, earlier, strict=True))


def most_batches(episodes: int, domains: int, chosen: int) -> int:
    """Return an upper bound on the batches of one domain that `episodes` consecutive episodes can use."""
    cycles = -(-episodes // domains) + 1  # the most cycles that so many consecutive episodes can lie in
    return min(episodes, cycles * chosen)


def domain_order(seed: int, step: int, domains: int, schedule: Schedule = "uniform") -> tuple[int, ...]:
    """Return the order of the domains in a step, a permutation of 0 … domains−1.

    Args:
        seed: the run's seed.
        step: the training step, from 0.
        domains: N, the number of source domains, at least 2.
        schedule: `uniform` draws the order of each step independently, as in the paper; `balanced` makes each
            domain the meta-test domain once in every N steps, in random order.
    """
    order = [int(d) for d in permutation(domains, seed, "episode", step)]
    if schedule == "balanced":
        cycle, position = divmod(step, domains)
        test = int(permutation(domains, seed, "cycle", cycle)[position])
        order = [d for d in order if d != test] + [test]
    return tuple(order)
