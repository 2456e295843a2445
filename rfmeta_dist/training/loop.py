"""The training loop. Its order is fixed; whatever has an effect outside goes through a hook.

for each step:   plan → this worker's batches, made ready in a thread → one optimiser step → hooks
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import Episode, RawBatch, StepRow
from rfmeta_dist.episode.plan import Need, Plan, plan, work_split
from rfmeta_dist.methods import METHODS
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.models.build import start
from rfmeta_dist.models.preprocess import to_batch
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.step import Trainer, finite

Keys = dict[str, list[str]]


class BatchSource(Protocol):
    """Where batches come from: some rows of a batch of a domain, the same for every caller."""

    def batch(self, need: Need) -> RawBatch:
        """The rows."""

    def prefetch(self, need: Need) -> None:
        """Say that these will be asked for soon."""


@dataclass(frozen=True)
class Hooks:
    """Effects of the loop.

    Attributes:
        after_step: sees each step's row.
        checkpoint: called when one is due.
        not_finite: sees the step at which a NaN or an infinity arose, and the keys of this worker's samples.
    """

    after_step: Callable[[StepRow], None]
    checkpoint: Callable[[Progress], None]
    not_finite: Callable[[int, Keys], None]


def build(config: Config, strategy: Strategy, device: torch.device) -> Trainer:
    """Networks, objective and optimiser, as configured.

    Raises:
        ConfigError: `model.weights` cannot be used.
    """
    training = config.training
    nets = start(
        config.model,
        training.seed,
        checkpointing=training.activation_checkpointing,
        second_order=config.method.facts.second_order,
    ).to(device)
    objective = METHODS[config.method.name](nets, config.method, bf16=training.precision == "bf16")
    return Trainer(objective, strategy, Adam(training.learning_rate, training.clip), work_split(config))


GIVE_UP = (
    10  # steps skipped in a row: networks that no ten batches suit are broken, and no further batch mends them
)
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
        RunError: loss or gradient is not finite and `training.not_finite` is `stop`, or is `skip` and `GIVE_UP`
            steps in a row were skipped, or all there are; the step is named.
    """
    rows, last = list(progress.metrics), config.training.steps
    images = config.training.episodes * config.episode_domains * config.data.batch
    some = config.episode_domains < len(config.data.sources)
    started = time.perf_counter()
    for step, waited, ready in _prepared(config, trainer.strategy.rank, source, progress.step, device):
        parts = trainer.step(ready.work)
        row: StepRow = {"step": step, "meta_test": ready.plan.meta_test}
        if some:
            row["domains"] = ready.plan.domains
        if finite(parts):
            row |= parts
        else:
            _not_finite(config, hooks, step, ready, rows)
            row["skipped"] = True
        now = time.perf_counter()
        seconds, started = now - started, now
        row |= {"seconds": seconds, "data_seconds": waited, "images_per_second": images / seconds}
        rows.append(row)
        hooks.after_step(row)
        done = step + 1
        if done % config.training.checkpoint_every == 0 or done == last:
            hooks.checkpoint(Progress(done, tuple(rows)))
    return Progress(last, tuple(rows))


@dataclass(frozen=True)
class _Ready:
    """A step's batches, as they came and as the networks take them."""

    plan: Plan
    raw: list[list[RawBatch | None]]
    work: Work


def _prepared(
    config: Config, rank: int, source: BatchSource, start: int, device: torch.device
) -> Iterator[tuple[int, float, _Ready]]:
    """The steps from `start` on, the next one made ready in a thread while the caller computes.

    Yields:
        The step, the seconds that it was waited for, and all that it needs.
    """
    last = config.training.steps

    def prepare(step: int) -> _Ready:
        if step + PREFETCH < last:
            _prefetch(source, plan(config, rank, step + PREFETCH))
        now = plan(config, rank, step)
        raw = [[source.batch(need) if need else None for need in needs] for needs in now.needs]
        episodes = [Episode(tuple(to_batch(b, device) if b else None for b in batches)) for batches in raw]
        return _Ready(now, raw, list(zip(episodes, now.parts, strict=True)))

    for ahead in range(start, min(start + PREFETCH, last)):
        _prefetch(source, plan(config, rank, ahead))
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        coming = pool.submit(prepare, start) if start < last else None
        for step in range(start, last):
            assert coming is not None
            started = time.perf_counter()
            ready = coming.result()
            waited = time.perf_counter() - started
            if step + 1 < last:
                coming = pool.submit(prepare, step + 1)
            yield step, waited, ready


def _prefetch(source: BatchSource, coming: Plan) -> None:
    for needs in coming.needs:
        for need in filter(None, needs):
            source.prefetch(need)


def _not_finite(config: Config, hooks: Hooks, step: int, ready: _Ready, before: list[StepRow]) -> None:
    keys: Keys = {}
    for needs, batches in zip(ready.plan.needs, ready.raw, strict=True):
        for need, batch in zip(needs, batches, strict=True):
            if need and batch:
                keys.setdefault(need.domain, []).extend(batch.keys)
    hooks.not_finite(step, keys)
    lower = (
        "look at them, then lower training.learning_rate or method.inner_learning_rate, or set training.clip, "
        "in a new run"
    )
    if config.training.not_finite == "stop":
        raise RunError(
            f"loss or gradient is not finite at step {step}; the samples are listed in the run's not_finite/",
            f"{lower}; training.not_finite=skip goes on without such steps",
        )
    skipped = 1 + sum(1 for _ in takewhile(lambda row: row.get("skipped"), reversed(before)))
    if skipped >= min(GIVE_UP, config.training.steps):
        raise RunError(
            f"loss or gradient was not finite in {skipped} steps in a row, up to step {step}; the samples are "
            "listed in the run's not_finite/",
            lower,
        )
