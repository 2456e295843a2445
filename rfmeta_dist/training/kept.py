"""Choose which checkpoints a run keeps, and which it continues from: the newest undamaged one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.folders import folders, remove_folder
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training.checkpoint import STATE, DamagedError, Saved, read


@dataclass(frozen=True)
class Found:
    """The checkpoint that a run continues from.

    Attributes:
        saved: its newest undamaged checkpoint; None to begin at step 0.
        left_out: a clause for each newer checkpoint that says why it is not used; empty if there are none.
    """

    saved: Saved | None
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a line for people, such as "checkpoint of step 40 is damaged (…), continuing from step 35"."""
        start = f"continuing from step {self.saved.progress.step}" if self.saved else "beginning at step 0"
        return ", ".join([*self.left_out, start])


def folder_name(step: int) -> str:
    """Return the name of the folder, within the run's folder, of the checkpoint whose next step is `step`."""
    return f"step-{step:07d}"


def steps(run: Store) -> list[int]:
    """Return the steps of all checkpoints in a run's folder, also unfinished or damaged ones, oldest first."""
    return sorted(int(name[5:]) for name in folders(run) if re.fullmatch(r"step-\d{7,}", name))


def written(run: Store) -> set[int]:
    """Return the steps of the checkpoints that were written completely. They may have been damaged since."""
    return {step for step in steps(run) if run.exists(f"{folder_name(step)}/{STATE}")}


def prune(run: Store, step: int, keep: int, until: int | None = None) -> None:
    """Delete the checkpoints of a run, except the newest `keep` ones up to `step`, which was just saved.

    Checkpoints of later steps up to `until` are deleted too: they are damaged ones from which the run did not
    continue.

    Args:
        run: the run's folder.
        step: the step that was just saved.
        keep: how many checkpoints stay, at least 1 (`training.keep`).
        until: the step to which the run trains now; checkpoints of later steps stay. None for its last step.
    """
    there = _up_to(run, until)
    kept = [s for s in there if s <= step][-keep:]
    for other in there:
        if other not in kept:
            # Delete state.json first, so that after an interruption the rest does not count as a checkpoint.
            run.delete(f"{folder_name(other)}/{STATE}")
            remove_folder(run, folder_name(other))


def _up_to(run: Store, until: int | None) -> list[int]:
    return [step for step in steps(run) if until is None or step <= until]


def newest(run: Store, until: int | None = None) -> Found:
    """Find the newest undamaged checkpoint of a run.

    Args:
        run: the run's folder.
        until: the step to which the run is to train, so that later checkpoints are of no use; None for any.

    Returns:
        The checkpoint. None in its place if there is none, or only one that was never finished, because the run
        was killed while it wrote its first: the run then begins at step 0.

    Raises:
        RunError: there are finished checkpoints, and all are damaged.
        StorageError: the store cannot be read.
    """
    left_out: list[str] = []
    unfinished = True
    for step in reversed(_up_to(run, until)):
        try:
            return Found(read(run.sub(folder_name(step)), step), tuple(left_out))
        except DamagedError as error:
            left_out.append(f"the checkpoint of step {step} is damaged ({error.why})")
            unfinished = not run.exists(f"{folder_name(step)}/{STATE}")
    if len(left_out) > 1 or not unfinished:
        raise RunError(
            f"run {run.url} has no undamaged checkpoint to continue from: {', '.join(left_out)}",
            "restore one from a backup, or delete the run's step-* folders to begin at step 0, "
            "or start a new run with --set run.name=…",
        )
    # The only checkpoint is unfinished: the run was killed while it wrote its first one, so it begins at step
    # 0.
    return Found(None, tuple(left_out))
