"""Write and read checkpoints: the whole training state, without pickle (safetensors for tensors, else JSON).

    step-0000100/
      model.safetensors       parameters and running statistics
      optimizer.safetensors   the optimisers' moments of each parameter
      average.safetensors     the average of the weights, if `training.average` asks for it
      metrics.jsonl           one line for each step so far
      state.json              the next step, the number of steps in its phase, the phase if the method has
                              several, the fingerprint of configuration and data, and the SHA-256 of all files
                              and of itself; written last

The schedule and the streams are pure functions of (seed, step), so nothing else is needed to resume exactly.
Tensors are complete and stored by parameter name, so a run can resume with any strategy and number of workers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from rfmeta_dist import __version__
from rfmeta_dist.core.digests import digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import StepRow
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store
from rfmeta_dist.strategy.api import Tensors
from rfmeta_dist.training.shapes import misfit
from rfmeta_dist.training.step import Trainer

_WEIGHTS, _MOMENTS, _AVERAGE = "model.safetensors", "optimizer.safetensors", "average.safetensors"
_METRICS, STATE = "metrics.jsonl", "state.json"
_FILES = (_WEIGHTS, _MOMENTS, _METRICS)
_FIRST_FORMAT = {"step", "updates", "fingerprint"}  # the fields of state.json in versions without hashes


@dataclass(frozen=True)
class Progress:
    """The progress of a run: the next step, and the metrics of the steps before it."""

    step: int = 0
    metrics: tuple[StepRow, ...] = ()


@dataclass(frozen=True)
class Saved:
    """A checkpoint that was read and is undamaged.

    Attributes:
        url: the checkpoint's folder.
        progress: the run's progress when it was written.
        updates: number of optimiser steps in the phase.
        fingerprint: fingerprint of the configuration and data that it was made with.
        versions: versions of the code and of PyTorch that wrote it, by name; empty in checkpoints without
            hashes.
        weights: parameters and running statistics by name.
        moments: the optimisers' moments, as `Strategy.moments` returns them.
        average: the average of the weights by parameter name; empty if the run keeps none.
        phase: name of the phase that made it; empty if the method has one phase.
    """

    url: str
    progress: Progress
    updates: int
    fingerprint: str
    versions: Mapping[str, str]
    weights: Tensors
    moments: Tensors
    average: Tensors
    phase: str = ""


class DamagedError(RunError):
    """A checkpoint is damaged: it differs from what was written.

    Args:
        problem: what is wrong, with the checkpoint's folder.
        remedy: what the user can do about it.
        why: what is wrong, as a clause without the folder.
    """

    def __init__(self, problem: str, remedy: str, why: str = "") -> None:
        super().__init__(problem, remedy)
        self.why = why


def save(folder: Store, trainer: Trainer, moments: Tensors, progress: Progress, fingerprint: str) -> None:
    """Write a checkpoint, and replace one that is in the folder already. Only one worker calls this.

    Args:
        folder: the checkpoint's folder.
        trainer: the trainer whose networks are saved.
        moments: `trainer.strategy.moments()`, which all workers must have called together.
        progress: the run's progress.
        fingerprint: fingerprint of configuration and data.

    Raises:
        StorageError: a file cannot be written.
    """
    files = {
        _WEIGHTS: tensor_bytes(_contiguous(trainer.objective.nets.state_dict())),
        _MOMENTS: tensor_bytes(_contiguous(moments)),
        _METRICS: "".join(json.dumps(row) + "\n" for row in progress.metrics).encode(),
    }
    if trainer.average:
        files[_AVERAGE] = tensor_bytes(_contiguous(trainer.average.state()))
    state = {
        "step": progress.step,
        "updates": trainer.updates,
        "fingerprint": fingerprint,
        "code": __version__,
        "torch": torch.__version__,
        "files": {name: digest(data) for name, data in files.items()},
        **({"phase": trainer.phase} if trainer.phase else {}),
    }
    # The folder may have a damaged checkpoint of the same step. Delete its state.json first, so that it never
    # lies beside the new files.
    folder.delete(STATE)
    for name, data in files.items():
        folder.write(name, data)
    folder.write(STATE, json.dumps(with_digest(state)).encode())


def read(folder: Store, step: int | None = None) -> Saved:
    """Read a checkpoint and check all its hashes.

    Args:
        folder: the checkpoint's folder.
        step: the step that the checkpoint must be of; None for any step.

    Raises:
        DamagedError: a file is missing, or differs from what was written.
        StorageError: the store cannot be read.
    """
    try:
        state = _state(folder.read(STATE), step)
        files = {name: folder.read(name) for name in state.get("files", _FILES)}
        _compare(state.get("files"), files)
        rows = [json.loads(line) for line in files[_METRICS].decode().splitlines()]
        saved = Saved(
            url=folder.url,
            progress=Progress(int(state["step"]), tuple(rows)),
            updates=int(state["updates"]),
            fingerprint=state["fingerprint"],
            versions={name: state[name] for name in ("code", "torch") if name in state},
            weights=parse_tensors(files[_WEIGHTS]),
            moments=parse_tensors(files[_MOMENTS]),
            average=parse_tensors(files[_AVERAGE]) if _AVERAGE in files else {},
            phase=str(state.get("phase", "")),
        )
        _agree(saved)
    except MissingError as error:
        raise _damaged(folder, error.problem.replace(f"{folder.url}/", "")) from None
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise _damaged(folder, str(error) or type(error).__name__) from error
    return saved


def restore(saved: Saved, trainer: Trainer, fingerprints: Collection[str]) -> Progress:
    """Load a checkpoint into networks and optimiser. Every worker calls this.

    Args:
        saved: the checkpoint.
        trainer: the trainer whose networks and optimiser are restored.
        fingerprints: fingerprints of configuration and data; the checkpoint must have one of them.

    Returns:
        The run's progress.

    Raises:
        RunError: the checkpoint is from another configuration or other data, or from networks that this version
            of the code does not build. Nothing is changed then.
    """
    if saved.fingerprint not in fingerprints:
        raise RunError(
            f"checkpoint {saved.url} was made with another configuration or other data, so training cannot "
            "continue from it",
            "start a new run with --set run.name=…",
        )
    nets = trainer.objective.nets
    strange = misfit(nets, saved.weights, saved.moments)
    if saved.phase != trainer.phase:
        strange = f"it is of phase {saved.phase or 'training'}, and this is {trainer.phase or 'training'}"
    if strange:
        wrote = " and ".join(f"{name} {version}" for name, version in saved.versions.items())
        raise RunError(
            f"checkpoint {saved.url} holds other networks than this code builds: {strange}. It was written by "
            f"{wrote or 'an earlier version of the code'}, and this is code {__version__} and torch "
            f"{torch.__version__}",
            "use the version that wrote it, or start a new run with --set run.name=…",
        )
    if trainer.average and saved.updates and not saved.average:
        # The average would begin at this step, and be another one than without the interruption.
        raise RunError(
            f"checkpoint {saved.url} holds no average of the weights, which training.average asks for",
            "restore the checkpoint from a backup, or start a new run with --set run.name=…",
        )
    nets.load_state_dict(dict(saved.weights))
    trainer.strategy.restore(saved.moments, saved.updates)
    trainer.updates = saved.updates
    if trainer.average:
        trainer.average.restore(saved.average)
    return saved.progress


def _state(data: bytes, step: int | None) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads(data)
    except ValueError:
        state = {}
    if not isinstance(state, dict) or not (set(state) == _FIRST_FORMAT or digest_holds(state)):
        raise ValueError(f"{STATE} does not match its SHA-256")
    if step is not None and state["step"] != step:
        raise ValueError(f"{STATE} is of step {state['step']}")
    return state


def _compare(digests: Mapping[str, str] | None, files: Mapping[str, bytes]) -> None:
    if digests is None:  # written before checkpoints had hashes
        return
    for name, data in files.items():
        if digest(data) != digests[name]:
            raise ValueError(f"{name} does not match its SHA-256")


def _agree(saved: Saved) -> None:
    """Check that the metrics and moments fit the progress. Checkpoints without hashes have no other check."""
    progress = saved.progress
    if [row["step"] for row in progress.metrics] != list(range(progress.step)):
        raise ValueError(f"metrics.jsonl does not hold the steps 0 to {progress.step - 1}")
    if saved.updates and not saved.moments:
        raise ValueError(f"{_MOMENTS} holds no tensor")


def _damaged(folder: Store, why: str) -> DamagedError:
    return DamagedError(
        f"checkpoint {folder.url} cannot be read: {why}",
        "give the same `rfmeta train` command again: it continues from the checkpoint before this one",
        why,
    )


def _contiguous(tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
