"""A training state on disk, whole and without pickle: safetensors for tensors, JSON for the rest.

    model.safetensors       parameters and running statistics
    optimizer.safetensors   Adam's two moments, one pair a parameter
    state.json              the next step, Adam's steps, and the fingerprint of configuration and data
    metrics.jsonl           one line a step taken so far

The schedule and the streams are pure functions of (seed, step), so nothing else is needed to go on exactly.
Tensors are whole and by parameter name: any strategy and any number of workers can go on from them.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.strategy.api import Tensors
from rfmeta_dist.training.step import Trainer

Row = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the next step, and the metrics of the steps before it."""

    step: int = 0
    metrics: tuple[Row, ...] = ()


def save(folder: Path, trainer: Trainer, moments: Tensors, progress: Progress, fingerprint: str) -> None:
    """Write a checkpoint into an existing empty folder; one worker does it.

    Args:
        folder: where to.
        trainer: whose networks to save.
        moments: `trainer.strategy.moments()`, which all workers must have called together.
        progress: where the run stands.
        fingerprint: of configuration and data.
    """
    save_file(_contiguous(trainer.objective.nets.state_dict()), folder / "model.safetensors")
    save_file(_contiguous(moments), folder / "optimizer.safetensors")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in progress.metrics))
    state = {"step": progress.step, "updates": trainer.updates, "fingerprint": fingerprint}
    (folder / "state.json").write_text(json.dumps(state))


def load(folder: Path, trainer: Trainer, fingerprints: Collection[str]) -> Progress:
    """Restore networks and optimiser in place, on every worker; returns where the run stands.

    Args:
        folder: holds the checkpoint.
        trainer: whose networks and optimiser to restore.
        fingerprints: the checkpoint must have been made for one of these configurations and data.

    Raises:
        RunError: the checkpoint is of another configuration or other data, or incomplete.
    """
    try:
        state = json.loads((folder / "state.json").read_text())
        step, updates, made_for = int(state["step"]), int(state["updates"]), state["fingerprint"]
        metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        weights = load_file(folder / "model.safetensors")
        moments = load_file(folder / "optimizer.safetensors")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise RunError(f"checkpoint {folder} cannot be read: {error}", "start a run of a new name") from error
    if made_for not in fingerprints:
        raise RunError(
            "the checkpoint was made with another configuration or other data", "start a run of a new name"
        )
    trainer.objective.nets.load_state_dict(weights)
    trainer.strategy.restore(moments, updates)
    trainer.updates = updates
    return Progress(step, tuple(metrics))


def _contiguous(tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
