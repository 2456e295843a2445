"""Plan a worker's part in a step and its batches, as a pure function of configuration, rank and step."""

from __future__ import annotations

from dataclasses import dataclass

from rfmeta_dist.config.schema import Config
from rfmeta_dist.episode.assign import WorkerShare, WorkSplit, parts_of
from rfmeta_dist.episode.schedule import Turn, turns

PREFETCH = 3  # number of steps that are prefetched: enough to hide decoding, at a few megabytes for each domain
# Steps whose batches a worker may hold or have requested: the one that it computes, the next one, which is made
# into tensors meanwhile, and `PREFETCH` after that one.
IN_FLIGHT = PREFETCH + 2


@dataclass(frozen=True)
class Need:
    """A part of one batch that a worker needs.

    Attributes:
        domain: name of the domain.
        index: number of the batch in the domain's stream, from 0.
        rows: the rows of the batch, from 0.
    """

    domain: str
    index: int
    rows: range


@dataclass(frozen=True)
class Plan:
    """A worker's part in a step.

    Attributes:
        parts: the worker's parts, one for each of its episodes.
        needs: for each part, the rows that it needs at each position of the episode; None if it needs none.
        meta_test: the meta-test domains of all episodes of the step, separated by commas.
        domains: the domains of each episode in order, such as `O&C&I`; episodes are separated by commas.
        orders: for each part, the indices of the episode's domains among the sources, in order.
        numbers: for each part, the number of the episode within the run, from 0.
        step: the training step, from 0.
    """

    parts: tuple[WorkerShare, ...]
    needs: tuple[tuple[Need | None, ...], ...]
    meta_test: str
    domains: str
    orders: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...]
    step: int


def work_split(config: Config) -> WorkSplit:
    """Return the facts that decide how work is assigned, from a run's configuration."""
    facts, domains, training = config.method.facts, config.episode_domains, config.training
    return WorkSplit(
        world=training.workers,
        episodes=training.episodes,
        tasks=facts.count(domains),
        batch=config.data.batch,
        meta_test="replicate" if facts.second_order else training.meta_test,
        cost=len(facts.needs(0, domains)),
        tested=facts.meta_test,
    )


def plan(config: Config, rank: int, step: int) -> Plan:
    """Return the part of worker `rank` in a step.

    Episode e of step t is the run's episode t·E + e. So one step of E episodes uses the same episodes as E
    steps of one episode each.
    """
    sources = config.data.sources
    orders = [_turns(config, step, e) for e in range(config.training.episodes)]
    parts = parts_of(rank, work_split(config))
    needs = tuple(_needs(config, part, orders[part.episode]) for part in parts)
    names = [[sources[turn.domain] for turn in order] for order in orders]
    return Plan(
        parts,
        needs,
        ",".join(order[-1] for order in names),
        ",".join(map("&".join, names)),
        orders=tuple(tuple(turn.domain for turn in orders[part.episode]) for part in parts),
        numbers=tuple(step * config.training.episodes + part.episode for part in parts),
        step=step,
    )


def images_of_step(config: Config) -> int:
    """Return how many images all workers together request for a step. The number is the same for every step."""
    split, positions = work_split(config), config.episode_domains
    parts = (part for rank in range(split.world) for part in parts_of(rank, split))
    return sum(len(rows) for part in parts for rows in _rows(config, part, positions).values())


def _turns(config: Config, step: int, episode: int) -> tuple[Turn, ...]:
    number = step * config.training.episodes + episode
    domains, chosen = len(config.data.sources), config.episode_domains
    return turns(config.training.seed, number, domains, chosen, config.method.schedule)


def _needs(config: Config, part: WorkerShare, order: tuple[Turn, ...]) -> tuple[Need | None, ...]:
    rows, sources = _rows(config, part, len(order)), config.data.sources
    return tuple(
        Need(sources[turn.domain], turn.batch, rows[p]) if p in rows else None for p, turn in enumerate(order)
    )


def _rows(config: Config, part: WorkerShare, positions: int) -> dict[int, range]:
    """Return the rows that a part needs of the batch at each position of an episode of that many domains."""
    facts, whole = config.method.facts, range(config.data.batch)
    rows = {p: whole for task in part.tasks for p in facts.needs(task, positions)}
    if facts.meta_test and not part.idle:
        rows[positions - 1] = part.rows
    return rows
