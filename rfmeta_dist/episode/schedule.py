"""Episode → its source domains in order, each with its batch; the last is meta-test, the others meta-train."""

from __future__ import annotations

from typing import Literal, NamedTuple

from rfmeta_dist.core.seeds import permutation

Schedule = Literal["uniform", "balanced"]


class Turn(NamedTuple):
    """One domain's part in an episode.

    Attributes:
        domain: which of the N source domains, from 0.
        batch: which batch of the domain's stream, from 0.
    """

    domain: int
    batch: int


def turns(
    seed: int, episode: int, domains: int, chosen: int, schedule: Schedule = "uniform"
) -> tuple[Turn, ...]:
    """Return the domains of an episode in order, each with the batch that it contributes.

    Batches of a domain are used in order and without gaps: the first episode that a domain is in gets its batch
    0, the next one batch 1, and so on.

    An episode of all domains has the order of `domain_order`. An episode of some of them belongs to a cycle of
    N episodes, in which every domain stands once at each position. So within a cycle every domain is used
    `chosen` times and is the meta-test domain once, whatever the schedule. In a single episode, every ordered
    choice of domains is equally likely.

    Args:
        seed: the run's seed.
        episode: the run's episode, from 0.
        domains: N ≥ 2 source domains.
        chosen: domains of an episode, 2 … N.
        schedule: order of an episode of all domains; see `domain_order`.
    """
    if chosen == domains:
        return tuple(Turn(d, episode) for d in domain_order(seed, episode, domains, schedule))
    cycle, number = divmod(episode, domains)
    # The domains sit on a circle in random order. The positions are distinct random offsets on it, which all
    # move on by one seat an episode, so that each of them comes past every domain once.
    circle = permutation(domains, seed, "circle", cycle).tolist()
    offsets = permutation(domains, seed, "offsets", cycle).tolist()[:chosen]
    seats = [(number + offset) % domains for offset in offsets]
    # A seat was used in the episodes (seat − offset) mod N of the cycle; those before this one are counted.
    earlier = [sum((seat - offset) % domains < number for offset in offsets) for seat in seats]
    return tuple(Turn(circle[seat], cycle * chosen + used) for seat, used in zip(seats, earlier, strict=True))


def most_batches(episodes: int, domains: int, chosen: int) -> int:
    """Return the most batches of one domain that any so many consecutive episodes use, or slightly more."""
    cycles = -(-episodes // domains) + 1  # that consecutive episodes can touch
    return min(episodes, cycles * chosen)


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
