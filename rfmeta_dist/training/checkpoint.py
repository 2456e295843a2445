"""A training state on disk, whole and without pickle: safetensors for tensors, JSON for the rest.

    model.safetensors       parameters and running statistics
    optimizer.safetensors   Adam's two moments, one pair a parameter
    state.json              the next step, Adam's count, and the fingerprint of configuration and data
    metrics.jsonl           one line a step taken so far

The schedule and the streams are pure functions of (seed, step), so nothing else is needed to go on exactly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rfmeta_dist.core.errors import RunError

Row = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """Where a run stands: the next step, and the metrics of the steps before it."""

    step: int = 0
    metrics: tuple[Row, ...] = ()


def save(
    folder: Path, nets: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, fingerprint: str
) -> None:
    """Write a checkpoint into an existing empty folder."""
    save_file(_contiguous(nets.state_dict()), folder / "model.safetensors")
    save_file(_contiguous(_moments(nets, optimizer)), folder / "optimizer.safetensors")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in progress.metrics))
    state = {"step": progress.step, "fingerprint": fingerprint}
    (folder / "state.json").write_text(json.dumps(state))


def load(folder: Path, nets: nn.Module, optimizer: torch.optim.Optimizer, fingerprint: str) -> Progress:
    """Restore networks and optimiser in place; returns where the run stands.

    Raises:
        RunError: the checkpoint is of another configuration or other data, or incomplete.
    """
    try:
        state = json.loads((folder / "state.json").read_text())
        step, made_for = int(state["step"]), state["fingerprint"]
        metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        weights = load_file(folder / "model.safetensors")
        moments = load_file(folder / "optimizer.safetensors")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise RunError(f"checkpoint {folder} cannot be read: {error}", "start a run of a new name") from error
    if made_for != fingerprint:
        raise RunError(
            "the checkpoint was made with another configuration or other data", "start a run of a new name"
        )
    nets.load_state_dict(weights)
    _restore(nets, optimizer, moments, step)
    return Progress(step, tuple(metrics))


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _moments(nets: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    moments = {}
    for name, parameter in nets.named_parameters():
        for key in ("exp_avg", "exp_avg_sq"):
            if parameter in optimizer.state:  # a parameter that never had a gradient has no moments
                moments[f"{key}.{name}"] = optimizer.state[parameter][key]
    return moments


def _restore(nets: nn.Module, optimizer: torch.optim.Optimizer, moments: dict[str, Tensor], step: int) -> None:
    for name, parameter in nets.named_parameters():
        if f"exp_avg.{name}" in moments:
            optimizer.state[parameter] = {
                "step": torch.tensor(float(step)),
                "exp_avg": moments[f"exp_avg.{name}"].to(parameter),
                "exp_avg_sq": moments[f"exp_avg_sq.{name}"].to(parameter),
            }
