"""Time a training step of this package beside the plain step, in turns, in each precision.

A step includes the optimiser. Its seconds are of the wall clock, and the device has no work left at the start
and at the end, so they contain what the host costs. TFLOP/s count what a step without recomputing needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from bench.gpu.card import fitting, peak_memory, synchronise, timed
from bench.gpu.sections import Row, Teller, one_line, require
from bench.gpu.settings import Settings, Size, configuration, training
from bench.step import DOMAINS, batches, plain_contender, tflop
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.core.types import Batch, Episode
from rfmeta_dist.episode.assign import parts_of
from rfmeta_dist.methods.base.objective import Work
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training.course import build
from rfmeta_dist.training.precision import set_up
from rfmeta_dist.training.step import Trainer

WARM_UP = 2  # steps that are not timed: in the first ones libraries load, and cuDNN tries its kernels
MARGIN = 5.0  # seconds before the end of its time at which a section begins no new round


@dataclass(frozen=True)
class Contender:
    """A way to compute a step.

    Attributes:
        precision: `fp32`, `tf32` or `bf16`.
        plain: the step of bench/plain.py instead of this package's: with fp32 and tf32 in NCHW, with bf16
            channels last under autocast.
        recompute: `training.activation_checkpointing`.
        deterministic: `training.deterministic`.
    """

    precision: str
    plain: bool = False
    recompute: bool = False
    deterministic: bool = False

    @property
    def switches(self) -> dict[str, Any]:
        """Return the fields of `training` that decide about torch's global switches."""
        return {"precision": self.precision, "deterministic": self.deterministic}


BASE = "plain fp32, NCHW"
BEST = "ours bf16"
SIZES = {
    BASE: Contender("fp32", plain=True),
    "plain tf32, NCHW": Contender("tf32", plain=True),
    "plain bf16 autocast, channels last": Contender("bf16", plain=True),
    "ours fp32": Contender("fp32"),
    "ours tf32": Contender("tf32"),
    BEST: Contender("bf16"),
    "ours fp32, recompute": Contender("fp32", recompute=True),
    "ours tf32, recompute": Contender("tf32", recompute=True),
    "ours bf16, recompute": Contender("bf16", recompute=True),
}
SWITCHED = {
    f"ours {precision}{', deterministic' if on else ''}": Contender(precision, deterministic=on)
    for precision in ("fp32", "bf16")
    for on in (False, True)
}


def compared(settings: Settings, tell: Teller) -> None:
    """Time the plain step and ours, with and without recomputing."""
    race(SIZES, settings, tell)


def switched(settings: Settings, tell: Teller) -> None:
    """Time our step with `deterministic` on and off, and see whether a gradient has the same bits twice."""
    # torch looks for this variable once, at the first matrix product of a process. If it is not there, torch
    # refuses every later product that has to be deterministic. So it must be set before the first contender.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    rows = race(SWITCHED, settings, tell, lambda one: {"repeats": repeats(one, settings)})
    differing = [name for name, row in rows.items() if SWITCHED[name].deterministic and not row["repeats"]]
    require(not differing, f"the gradient has other bits when it is computed again with {', '.join(differing)}")


def race(
    contenders: Mapping[str, Contender],
    settings: Settings,
    tell: Teller,
    also: Callable[[Contender], Row] = lambda _: {},
) -> dict[str, Row]:
    """Time contenders in turns for several rounds. The first round comes with their preparation.

    A contender that cannot compute its step, or for which no time is left, is told with the reason. If there is
    one, the section fails at its end.

    Args:
        contenders: what to time, by name.
        settings: size of the step, number of rounds and of steps.
        tell: is told each row after the first round and after the last.
        also: measures further figures of a contender.

    Returns:
        The rows of the contenders that were timed, by name.
    """
    device, rows, steps, seconds = settings.place, {}, {}, {}
    longest = 0.0  # seconds of the longest preparation
    for name, one in contenders.items():
        began = tell.left()
        try:
            require(began > MARGIN + longest, "no time is left for it", "give --minutes more")
            row, steps[name] = prepare(one, settings.step, device)
            row |= also(one)
            set_up(training(**one.switches))
            seconds[name] = [timed(steps[name], settings.steps, device)]
        except (RuntimeError, VerificationError) as error:  # torch.OutOfMemoryError is a RuntimeError
            tell(name, {"error": one_line(error)})
            continue
        longest = max(longest, began - tell.left())
        rows[name] = row
        tell(name, row | figures(row["images"], seconds[name], settings.step))
    for _ in range(settings.rounds - 1):
        if tell.left() < MARGIN + 2 * settings.steps * sum(values[-1] for values in seconds.values()):
            break
        for name in rows:
            set_up(training(**contenders[name].switches))
            seconds[name].append(timed(steps[name], settings.steps, device))
    for name, row in rows.items():
        rows[name] = row | figures(row["images"], seconds[name], settings.step)
        tell(name, rows[name])
    lost = [name for name in contenders if name not in rows]
    require(not lost, f"no step was timed with {', '.join(lost)}")
    return rows


def figures(images: int, seconds: list[float], size: Size) -> Row:
    """Return the figures of a step from its seconds in each round. `images` are those of a domain."""
    step = median(seconds)
    return {
        "step_s": step,
        "fastest_s": min(seconds),
        "slowest_s": max(seconds),
        "images_per_s": DOMAINS * images / step,
        "tflops": tflop(size.side, size.width, images) / step,
    }


def prepare(one: Contender, size: Size, device: torch.device) -> tuple[Row, Callable[[], Any]]:
    """Warm a contender up, with fewer images if the memory is too small.

    Returns:
        A row with the images of a domain and the peak of memory, and a function that does a step.
    """
    set_up(training(**one.switches))

    def warm_up(images: int) -> tuple[Callable[[], Any], float]:
        def work() -> Callable[[], Any]:
            step = stepper(one, Size(size.side, size.width, images), device)
            for _ in range(WARM_UP):
                step()
            synchronise(device)
            return step

        return peak_memory(work, device)

    images, (step, memory) = fitting(size.images, warm_up)
    row: Row = {"images": images, "memory_mb": round(memory, 1)}
    if images < size.images:
        row["note"] = f"{size.images} images of a domain do not fit"
    return row, step


def stepper(one: Contender, size: Size, device: torch.device) -> Callable[[], Any]:
    """Return a function that does a training step on random images."""
    if not one.plain:
        trainer, work = ours(one, size, device)
        return lambda: trainer.step(work)
    data = [batch.to(device) for batch in batches(size.side, size.images)]
    objective, model = plain_contender(data, size.width, fast=one.precision == "bf16")
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        adam.zero_grad(set_to_none=True)
        objective().backward()
        adam.step()

    return step


def ours(one: Contender, size: Size, device: torch.device) -> tuple[Trainer, Work]:
    """Return this package's trainer, and the work of one step."""
    config = configuration(size, activation_checkpointing=one.recompute, **one.switches)
    trainer = build(config, Single(), device)
    data = [batch.to(device) for batch in batches(size.side, size.images)]
    last = [Batch(b.image.contiguous(memory_format=torch.channels_last), b.depth, b.label) for b in data]
    return trainer, [(Episode(tuple(last)), parts_of(0, trainer.work_split)[0])]


def repeats(one: Contender, settings: Settings) -> bool:
    """Return True if a step's gradient has the same bits when it is computed again with the same weights."""
    set_up(training(**one.switches))

    def twice(images: int) -> bool:
        trainer, work = ours(one, Size(settings.step.side, settings.step.width, images), settings.place)
        found = []
        for _ in range(2):
            trainer.gradient(work)
            found.append(trainer.strategy.gradient())
            trainer.strategy.discard()
        first, second = found
        return all(torch.equal(first[name], second[name]) for name in first)

    return fitting(settings.step.images, twice)[1]
