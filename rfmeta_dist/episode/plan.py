"""A worker's part in a step, and the batches it needs: pure functions of configuration, rank and step."""

from __future__ import annotations

from dataclasses import dataclass

from rfmeta_dist.config.schema import Config
from rfmeta_dist.episode.assign import WorkerShare, WorkSplit, parts_of
from rfmeta_dist.episode.schedule import domain_order


@dataclass(frozen=True)
class Need:
    """Rows of one batch: batch `index` of the domain's stream."""

    domain: str
    index: int
    rows: range


@dataclass(frozen=True)
class Plan:
    """A worker's part in a step.

    Attributes:
        parts: its parts, one for each of its episodes.
        needs: for each part, what it needs at each position of the episode; None where nothing.
        meta_test: the step's meta-test domains, of all episodes, with commas between.
    """

    parts: tuple[WorkerShare, ...]
    needs: tuple[tuple[Need | None, ...], ...]
    meta_test: str


def work_split(config: Config) -> WorkSplit:
    """Who computes what under this configuration."""
    facts, domains, training = config.method.facts, len(config.data.sources), config.training
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
    """The part of worker `rank` in a step.

    Episode e of step t is the run's episode t·E + e: a step of E episodes sees what E steps of one would.
    """
    orders = [_order(config, step, e) for e in range(config.training.episodes)]
    parts = parts_of(rank, work_split(config))
    needs = tuple(_needs(config, part, orders[part.episode], step) for part in parts)
    return Plan(parts, needs, ",".join(order[-1] for order in orders))


def _order(config: Config, step: int, episode: int) -> tuple[str, ...]:
    sources, seed = config.data.sources, config.training.seed
    number = step * config.training.episodes + episode
    return tuple(sources[d] for d in domain_order(seed, number, len(sources), config.method.schedule))


def _needs(config: Config, part: WorkerShare, order: tuple[str, ...], step: int) -> tuple[Need | None, ...]:
    facts, last = config.method.facts, len(order) - 1
    whole = range(config.data.batch)
    rows = {p: whole for task in part.tasks for p in facts.needs(task, len(order))}
    if facts.meta_test and not part.idle:
        rows[last] = part.rows
    index = step * config.training.episodes + part.episode
    return tuple(Need(d, index, rows[p]) if p in rows else None for p, d in enumerate(order))
