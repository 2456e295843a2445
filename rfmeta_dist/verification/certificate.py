"""Make the certificate of a run: the proof that its workers compute what one process computes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.training import Training
from rfmeta_dist.strategy import choose
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.verification import parity
from rfmeta_dist.verification.small import RATE, small

STEPS = 2
SMALLEST = {"vit": "vit_micro", "convnext": "convnext_micro", "paper": "paper"}
# The proof runs without bf16, which rounds to three digits on purpose, so that the limit 1e-9 could not hold.
ROUNDED: Mapping[str, Any] = {"precision": "fp32", "bf16_reduce": False}


@dataclass(frozen=True)
class Certificate:
    """What was proved, by which settings and versions, and how large the differences were.

    Attributes:
        method: the run's whole `method` section.
        backbone: the backbone of the proof, the smallest of the run's family.
        sources: number of source domains.
        domains: number of domains in an episode.
        workers: number of workers in the run's own process group.
        strategy: the run's `training.strategy`.
        zero: ZeRO stage of DeepSpeed; None for other strategies.
        meta_test: the run's `training.meta_test`.
        activation_checkpointing: the run's `training.activation_checkpointing`.
        clip: the run's `training.clip`.
        decay: the run's `training.decay`.
        episodes: number of episodes in a step: the run's, but at most one more than workers.
        steps: number of optimiser steps.
        differences: the largest relative difference of any worker from one process, by kind (see small.py).
        tolerance: the limit on these differences.
        passed: True if all differences are within the limit.
        left_out: settings of the run that the proof replaced.
        device: type of the workers' devices.
        torch: version of PyTorch.
        deepspeed: version of DeepSpeed; None for other strategies.
        date: time of the proof in UTC.
    """

    method: dict[str, Any]
    backbone: str
    sources: int
    domains: int
    workers: int
    strategy: str
    zero: int | None
    meta_test: str
    activation_checkpointing: bool
    clip: float | None
    decay: str
    episodes: int
    steps: int
    differences: Mapping[str, float]
    tolerance: float
    passed: bool
    left_out: tuple[str, ...]
    device: str
    torch: str
    deepspeed: str | None
    date: str

    def to_json(self) -> bytes:
        """Return the content of certificate.json."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()


def prove(
    config: Config, device: torch.device, make: Callable[[Training], Strategy] = choose.make
) -> Certificate:
    """Prove a run's step before its first step, with small networks in float64 and random episodes.

    All workers of the run's process group call this together and get the same certificate.

    Args:
        config: the run's configuration.
        device: this worker's device.
        make: makes the strategy. The proof uses its own instance, not the run's.

    Raises:
        VerificationError: the workers compute something else than one process. The error says what differs.
    """
    less = _small(config)
    training = less.training
    result = parity.prove(less, make(training), device)
    result.require()
    deepspeed = training.strategy == "deepspeed"
    return Certificate(
        method=config.method.model_dump(),
        backbone=less.model.backbone,
        sources=len(config.data.sources),
        domains=config.episode_domains,
        workers=training.workers,
        strategy=training.strategy,
        zero=training.zero if deepspeed else None,
        meta_test=training.meta_test,
        activation_checkpointing=training.activation_checkpointing,
        clip=training.clip,
        decay=training.decay,
        episodes=training.episodes,
        steps=training.steps,
        differences=result.differences,
        tolerance=parity.TOLERANCE,
        passed=result.passed,
        left_out=_left_out(config),
        device=device.type,
        torch=torch.__version__,
        deepspeed=version("deepspeed") if deepspeed else None,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
    )


class Proofs:
    """Makes the certificates of runs that one process group trains one after another.

    Runs of the same layout get the same certificate, so its date and the fractions in its `method` may be
    those of an earlier run. The layout is everything that decides which worker computes and sends what.
    """

    def __init__(self) -> None:
        self._made: dict[str, bytes] = {}

    def of(self, config: Config, device: torch.device) -> bytes:
        """Return the certificate as JSON. All workers of the process group call this together.

        Raises:
            VerificationError: see `prove`.
        """
        layout = _layout(config)
        if layout not in self._made:
            self._made[layout] = prove(config, device).to_json()
        return self._made[layout]


def _layout(config: Config) -> str:
    """Return a text that is equal for runs whose proofs differ only in seed and size of terms."""
    tree = _small(config).model_dump(mode="json")
    del tree["training"]["seed"]
    return json.dumps([_scaled(tree), _left_out(config)])


def _scaled(tree: Any) -> Any:
    """Replace each fraction by whether it is 0, because a term that is multiplied by 0 may be left out."""
    if isinstance(tree, dict):
        return {name: _scaled(value) for name, value in tree.items()}
    return tree != 0 if isinstance(tree, float) else tree


def _small(config: Config) -> Config:
    """Return the run's configuration with smaller networks and fewer steps, so that the proof takes seconds."""
    training = config.training
    fewer = {"steps": STEPS, "learning_rate": RATE, "episodes": min(training.episodes, training.workers + 1)}
    return small(
        config.method,
        training.model_copy(update={**fewer, **ROUNDED}),
        len(config.data.sources),
        batch=config.data.batch,
        domains=config.episode.domains,
        model=config.model.model_copy(update={"backbone": _smallest(config)}),
    )


def _smallest(config: Config) -> str:
    return SMALLEST[config.model.backbone.partition("_")[0]]


def _left_out(config: Config) -> tuple[str, ...]:
    left = [f"training.{f}={getattr(config.training, f)}" for f in ROUNDED]
    proved = [f"training.{f}={value}" for f, value in ROUNDED.items()]
    left.append(f"model.backbone={config.model.backbone}")
    proved.append(f"model.backbone={_smallest(config)}")
    return tuple(setting for setting in left if setting not in proved)
