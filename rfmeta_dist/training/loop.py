"""Run the training loop. All effects outside the loop, such as checkpoints and logs, are in hooks.

for each step:   plan → this worker's batches, prepared in a thread → one optimiser step → hooks
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Protocol

import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DivergedError
from rfmeta_dist.core.types import RawBatch, StepRow
from rfmeta_dist.episode.plan import PREFETCH, Need, Plan, plan
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.feed import Feed, Sent
from rfmeta_dist.training.step import Trainer, finite

Keys = dict[str, list[str]]


class BatchSource(Protocol):
    """A source of batches. Equal needs give equal rows, on every worker."""

    def batch(self, need: Need) -> RawBatch:
        """Return the rows of a domain's batch."""

    def prefetch(self, needs: Iterable[Need]) -> None:
        """Announce the rows that a step will request, so that they can be prepared."""


@dataclass(frozen=True)
class Hooks:
    """Functions that the loop calls for effects outside it.

    Attributes:
        after_step: called with each step's row of metrics.
        checkpoint: called with the progress when a checkpoint is due.
        not_finite: called with the step at which the loss or gradient is not finite, and the keys of this
            worker's samples by domain. It returns the place where it lists them, or None if it does not.
    """

    after_step: Callable[[StepRow], None]
    checkpoint: Callable[[Progress], None]
    not_finite: Callable[[int, Keys], str | None]


# Number of consecutive skipped steps after which training stops. If ten batches in a row give no finite loss,
# the weights have diverged, and further batches do not help.
GIVE_UP = 10


def train(
    config: Config,
    trainer: Trainer,
    source: BatchSource,
    hooks: Hooks,
    progress: Progress,
    device: torch.device,
    until: int | None = None,
) -> Progress:
    """Train from the run's progress to its last step, or to an earlier one and go on later.

    Where a training pauses changes nothing of it: plans, batches and learning rates follow from the
    configuration and the step.

    Args:
        config: the run's configuration.
        trainer: networks, objective and optimiser, in the state of `progress`.
        source: provides this worker's batches.
        hooks: functions that are called after steps.
        progress: where to start.
        device: this worker's device.
        until: step to train to, at most `training.steps`, which it is if not given. A checkpoint is due there.

    Returns:
        The progress after the step `until`; `progress` itself if that is further already.

    Raises:
        DivergedError: loss or gradient is not finite and `training.not_finite` is `stop`; or it is `skip` and
            `GIVE_UP` consecutive steps, or all steps of the run, were skipped. The error names the step.
    """
    rows, last = list(progress.metrics), config.training.steps if until is None else until
    images = config.training.episodes * config.episode_domains * config.data.batch
    some = config.episode_domains < len(config.data.sources)
    started = time.perf_counter()
    for step, waited, ready in _prepared(
        config, trainer.strategy.rank, source, range(progress.step, last), device
    ):
        parts = trainer.step(ready.work())
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
    return Progress(max(last, progress.step), tuple(rows))


@dataclass(frozen=True)
class _Ready:
    """A step's batches, raw and as tensors that were sent to the device."""

    plan: Plan
    raw: list[list[RawBatch | None]]
    sent: Sent

    def work(self) -> Work:
        """Return this worker's episodes, each with its part in them."""
        given = zip(self.sent.receive(), self.plan.orders, self.plan.numbers, self.plan.parts, strict=True)
        return [
            (replace(episode, domains=order, number=number, step=self.plan.step), part)
            for episode, order, number, part in given
        ]


def _prepared(
    config: Config, rank: int, source: BatchSource, steps: range, device: torch.device
) -> Iterator[tuple[int, float, _Ready]]:
    """Prepare some steps. While the caller computes a step, a thread prepares the next one.

    Yields:
        The step, the seconds spent waiting for its preparation, and its plan and batches.
    """
    start, last, feed = steps.start, steps.stop, Feed(device)

    def prepare(step: int) -> _Ready:
        if step + PREFETCH < last:
            _prefetch(source, plan(config, rank, step + PREFETCH))
        now = plan(config, rank, step)
        raw = [[source.batch(need) if need else None for need in needs] for needs in now.needs]
        return _Ready(now, raw, feed.send(raw))

    for ahead in range(start, min(start + PREFETCH, last)):
        _prefetch(source, plan(config, rank, ahead))
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        coming = pool.submit(prepare, start) if start < last else None
        for step in steps:
            assert coming is not None
            started = time.perf_counter()
            ready = coming.result()
            waited = time.perf_counter() - started
            if step + 1 < last:
                coming = pool.submit(prepare, step + 1)
            yield step, waited, ready


def _prefetch(source: BatchSource, coming: Plan) -> None:
    source.prefetch([need for needs in coming.needs for need in needs if need])


def _first(keys: Keys) -> str:
    return next((name for names in keys.values() for name in names), "none of this worker")


def _not_finite(config: Config, hooks: Hooks, step: int, ready: _Ready, before: list[StepRow]) -> None:
    keys: Keys = {}
    for needs, batches in zip(ready.plan.needs, ready.raw, strict=True):
        for need, batch in zip(needs, batches, strict=True):
            if need and batch:
                keys.setdefault(need.domain, []).extend(batch.keys)
    place = hooks.not_finite(step, keys)
    listed = f"whose samples are listed in {place}" if place else f"with samples such as {_first(keys)}"
    # All of these fields are part of the fingerprint, so a resumed run cannot change them.
    anew = (
        "look at these samples, then start a new run with --set run.name=… and a lower training.learning_rate "
        "or method.inner_learning_rate, or with a limit on the gradient such as training.clip=1"
    )
    if config.training.not_finite == "stop":
        # A method of several turns refuses to skip (config/refusals.py).
        skip = ", or with training.not_finite=skip, which leaves out such steps"
        raise DivergedError(
            f"loss or gradient is not finite at step {step}, {listed}",
            anew if config.method.facts.turns > 1 else f"{anew}{skip}",
        )
    skipped = 1 + sum(1 for _ in takewhile(lambda row: row.get("skipped"), reversed(before)))
    if skipped >= min(GIVE_UP, config.training.steps):
        raise DivergedError(
            f"loss or gradient was not finite in {skipped} steps in a row, up to step {step}, {listed}",
            anew,
        )
