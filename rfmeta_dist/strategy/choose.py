"""Make the strategy and the optimiser's settings that the configuration's `training` section asks for."""

from __future__ import annotations

from rfmeta_dist.config.training import Training
from rfmeta_dist.strategy.api import Adam, Strategy
from rfmeta_dist.strategy.single import Single


def adam(training: Training, steps: int | None = None) -> Adam:
    """Return the settings of the run's optimiser.

    Args:
        training: the configuration's `training` section.
        steps: number of steps over which the learning rate falls; `training.steps` if not given.
    """
    cosine = (steps or training.steps) if training.decay == "cosine" else None
    return Adam(training.learning_rate, training.clip, cosine)


def make(training: Training) -> Strategy:
    """Return the strategy. `ddp` and `deepspeed` use this worker's process group, which must be initialised."""
    if training.strategy == "single":
        return Single()
    if training.strategy == "ddp":
        from rfmeta_dist.strategy.ddp import DDP

        return DDP(bf16_reduce=training.bf16_reduce)
    from rfmeta_dist.strategy.deepspeed import DeepSpeed

    return DeepSpeed(zero=training.zero, offload=training.offload, bf16_reduce=training.bf16_reduce)
