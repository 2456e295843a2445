"""Kill a training midway with SIGKILL, resume it, and compare its weights with those of an undisturbed one."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import torch

from bench.gpu.sections import Teller, join_group, processes, require
from bench.gpu.settings import Memory, Settings, configuration
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint, kept
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from rfmeta_dist.training.precision import set_up

STEPS, EVERY, KILLED = 12, 4, 6  # of the run; between checkpoints; steps that are done when it is killed
FINGERPRINT = "bench"


def resumed(settings: Settings, tell: Teller) -> None:
    """Compare the weights and moments of a killed and resumed training with an undisturbed one's."""
    for deterministic in (True, False):
        with tempfile.TemporaryDirectory(prefix="rfmeta-gpu-") as folder:
            whole, broken = Path(folder) / "whole", Path(folder) / "broken"
            begin(settings, whole, deterministic, killed=False)
            begin(settings, broken, deterministic, killed=True)
            left = kept.newest(open_store(str(broken))).saved
            begin(settings, broken, deterministic, killed=False)
            row = {"resumed_from": left.progress.step if left else 0} | difference(whole, broken)
        tell("deterministic" if deterministic else "not deterministic", row)
        if deterministic:
            require(row["same_bits"], f"a resumed training ends with other weights ({row['difference']:.1e})")


def begin(settings: Settings, folder: Path, deterministic: bool, *, killed: bool) -> None:
    """Train in a new process, from the folder's newest checkpoint, until the end or until it is killed."""
    arguments = (settings, folder, deterministic, KILLED if killed else STEPS, os.getpgrp())
    process = processes(settings.device).Process(target=_train, args=arguments)
    process.start()
    process.join()
    wanted = -signal.SIGKILL if killed else 0
    require(
        process.exitcode == wanted, f"a training process ended with {process.exitcode} instead of {int(wanted)}"
    )


def difference(one: Path, other: Path) -> dict[str, float | bool]:
    """Return how the last checkpoints of two runs differ: their bits, and the norm relative to the first's."""
    first, second = (
        checkpoint.read(open_store(str(p)).sub(kept.folder_name(STEPS)), STEPS) for p in (one, other)
    )
    pairs = [(first.weights[n], second.weights[n]) for n in first.weights]
    pairs += [(first.moments[n], second.moments[n]) for n in first.moments]
    same = all(torch.equal(a, b) for a, b in pairs)
    apart = sum(float((a.double() - b.double()).norm() ** 2) for a, b in pairs) ** 0.5
    size = sum(float(a.double().norm() ** 2) for a, _ in pairs) ** 0.5
    return {"same_bits": same, "difference": apart / size}


def _train(settings: Settings, folder: Path, deterministic: bool, until: int, group: int) -> None:
    """Train in this process. If `until` is less than `STEPS`, the process kills itself after so many steps."""
    join_group(settings, group)
    device, run = settings.place, open_store(str(folder))
    config = configuration(settings.resumed, steps=STEPS, checkpoint_every=EVERY, deterministic=deterministic)
    set_up(config.training)
    trainer = build(config, Single(), device)
    found = kept.newest(run).saved
    progress = checkpoint.restore(found, trainer, [FINGERPRINT]) if found else Progress()

    def save(done: Progress) -> None:
        place = run.sub(kept.folder_name(done.step))
        checkpoint.save(place, trainer, trainer.strategy.moments(), done, FINGERPRINT)

    def after_step(row: StepRow) -> None:
        if row["step"] + 1 == until < STEPS:
            os.kill(os.getpid(), signal.SIGKILL)

    hooks = Hooks(after_step=after_step, checkpoint=save, not_finite=lambda *_: None)
    train(config, trainer, Memory(settings.resumed), hooks, progress, device)
