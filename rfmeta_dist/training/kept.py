"""Choose the checkpoints that a run keeps, and the one that it continues from: the newest undamaged one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.folders import folders, remove_folder
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training.checkpoint import STATE, DamagedError, Saved, read

KEEP = 2  # the newest checkpoints of a run; the older one is there in case the newer one is damaged


@dataclass(frozen=True)
class Found:
    """The checkpoint that a run continues from.

    Attributes:
        saved: its newest whole checkpoint; None to begin at step 0.
        left_out: why newer ones are not used, a clause each; empty if there are none.
    """

    saved: Saved | None
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a line for people, such as "step 40 is damaged (…), going on from step 35"."""
        start = f"going on from step {self.saved.progress.step}" if self.saved else "beginning at step 0"
        return ", ".join([*self.left_out, start])


def folder_name(step: int) -> str:
    """Return the name of the checkpoint before `step`, a folder below the run's."""
    return f"step-{step:07d}"


def steps(run: Store) -> list[int]:
    """Return the steps of all checkpoints in a run's folder, whole or not, oldest first."""
    return sorted(int(name[5:]) for name in folders(run) if re.fullmatch(r"step-\d{7,}", name))


def written(run: Store) -> set[int]:
    """Return the steps of the checkpoints that were written to their end; a file may be damaged since."""
    return {step for step in steps(run) if run.exists(f"{folder_name(step)}/{STATE}")}


def prune(run: Store, step: int) -> None:
    """Delete all checkpoints of a run but the newest `KEEP` up to `step`, which was just saved.

    Checkpoints of later steps are damaged ones that the run did not continue from.
    """
    there = steps(run)
    kept = [s for s in there if s <= step][-KEEP:]
    for other in there:
        if other not in kept:
            run.delete(f"{folder_name(other)}/{STATE}")  # first of all, so that no part of it counts as whole
            remove_folder(run, folder_name(other))


def newest(run: Store) -> Found:
    """Find the newest whole checkpoint of a run.

    Raises:
        RunError: there are checkpoints and none is whole.
        StorageError: the store cannot be read.
    """
    left_out: list[str] = []
    unfinished = True
    for step in reversed(steps(run)):
        try:
            return Found(read(run.sub(folder_name(step)), step), tuple(left_out))
        except DamagedError as error:
            left_out.append(f"step {step} is damaged ({error.why})")
            unfinished = not run.exists(f"{folder_name(step)}/{STATE}")
    if len(left_out) > 1 or not unfinished:
        raise RunError(
            f"run {run.url} has no whole checkpoint: {', '.join(left_out)}",
            "restore one from a backup, or delete the run's step-* folders to begin at step 0, "
            "or start a new run with --set run.name=…",
        )
    # A run that is killed while it writes its first checkpoint has lost nothing that it could go on from.
    return Found(None, tuple(left_out))
