"""Make the strategy that the configuration's `training` section chooses."""

from __future__ import annotations

from rfmeta_dist.config.training import Training
from rfmeta_dist.strategy.api import Strategy
from rfmeta_dist.strategy.single import Single


def make(training: Training) -> Strategy:
    """Return the strategy. `ddp` and `deepspeed` use this worker's process group, which must be initialised."""
    if training.strategy == "single":
        return Single()
    if training.strategy == "ddp":
        from rfmeta_dist.strategy.ddp import DDP

        return DDP(bf16_reduce=training.bf16_reduce)
    from rfmeta_dist.strategy.deepspeed import DeepSpeed

    return DeepSpeed(zero=training.zero, offload=training.offload, bf16_reduce=training.bf16_reduce)
