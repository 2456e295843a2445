"""The training loop. Its order is fixed; whatever has an effect outside goes through a hook.

for each step:   order of domains → this worker's tasks → their batches → one optimiser step → hooks
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import Batch, Episode, RawBatch
from rfmeta_dist.episode.assign import tasks_of
from rfmeta_dist.episode.schedule import domain_order
from rfmeta_dist.methods import METHODS
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_batch
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.training.checkpoint import Progress, Row
from rfmeta_dist.training.step import Trainer


class BatchSource(Protocol):
    """Where batches come from: the batch of a domain at a step, the same for every caller."""

    def batch(self, domain: str, step: int) -> RawBatch:
        """Batch `step` of a domain."""

    def prefetch(self, domain: str, step: int) -> None:
        """Say that this batch will be asked for soon."""


@dataclass(frozen=True)
class Hooks:
    """Effects of the loop: `after_step` sees each step's row, `checkpoint` is called when one is due."""

    after_step: Callable[[Row], None]
    checkpoint: Callable[[Progress], None]


@dataclass(frozen=True)
class Plan:
    """A worker's part in a step: the domains in order, its tasks, and the domains whose batches it needs."""

    order: tuple[str, ...]
    tasks: tuple[int, ...]
    domains: tuple[str, ...]


def build(config: Config, strategy: Strategy, device: torch.device) -> Trainer:
    """Networks (initialised from the seed), objective and optimiser, as configured."""
    nets = Networks(config.model.width, config.model.meta_learner_momentum)
    nets.initialise(config.training.seed).to(device)
    objective = METHODS[config.method.name](
        nets,
        inner_rate=config.method.inner_rate,
        depth_weight=config.method.depth_weight,
        meta_test_weight=config.method.meta_test_weight,
    )
    return Trainer(objective, strategy, config.training.rate)


def plan(config: Config, strategy: Strategy, step: int) -> Plan:
    """The worker's part in a step: a pure function of the configuration, the rank and the step."""
    sources, method = config.data.sources, METHODS[config.method.name]
    count = len(sources)
    order = domain_order(config.training.seed, step, count, config.method.schedule)
    tasks = tasks_of(strategy.rank, strategy.world, method.tasks(count))
    needed = sorted({position for task in tasks for position in method.needs(task, count)})
    return Plan(tuple(sources[d] for d in order), tasks, tuple(sources[order[p]] for p in needed))


PREFETCH = 3  # steps asked for ahead: enough to hide decoding, a few megabytes a domain


def train(
    config: Config,
    trainer: Trainer,
    source: BatchSource,
    hooks: Hooks,
    progress: Progress,
    device: torch.device,
) -> Progress:
    """Train from where the run stands to its last step.

    Raises:
        RunError: the loss is not finite; the step is named.
    """
    rows = list(progress.metrics)
    images = len(config.data.sources) * config.data.batch
    for ahead in range(progress.step, min(progress.step + PREFETCH, config.training.steps)):
        _prefetch(config, trainer.strategy, source, ahead)
    for step in range(progress.step, config.training.steps):
        started = time.perf_counter()
        if step + PREFETCH < config.training.steps:
            _prefetch(config, trainer.strategy, source, step + PREFETCH)
        now = plan(config, trainer.strategy, step)
        batches = {name: to_batch(source.batch(name, step), device) for name in now.domains}
        waited = time.perf_counter() - started
        parts = trainer.step(_episode(now.order, batches), now.tasks)
        _require_finite(parts["loss"], step)
        seconds = time.perf_counter() - started
        times = {"seconds": seconds, "data_seconds": waited, "images_per_second": images / seconds}
        row: Row = {"step": step, "meta_test": now.order[-1], **parts, **times}
        rows.append(row)
        hooks.after_step(row)
        done = step + 1
        if done % config.training.checkpoint_every == 0 or done == config.training.steps:
            hooks.checkpoint(Progress(done, tuple(rows)))
    return Progress(config.training.steps, tuple(rows))


def _prefetch(config: Config, strategy: Strategy, source: BatchSource, step: int) -> None:
    for name in plan(config, strategy, step).domains:
        source.prefetch(name, step)


def _episode(order: Sequence[str], batches: dict[str, Batch]) -> Episode:
    return Episode(tuple(batches.get(name) for name in order))


def _require_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise RunError(
            f"the loss is {loss} at step {step}",
            "lower training.rate or method.inner_rate, then start a new run",
        )
