"""The configuration's `model` → networks."""

from __future__ import annotations

from rfmeta_dist.config.schema import Model
from rfmeta_dist.models.networks import Networks

MOMENTUM = {"stable": 0.1, "paper": 1.0}  # of M's running statistics; F and D use 0.1 in both


def build(model: Model, *, recompute: bool = False) -> Networks:
    """Networks as configured, with weights still to be set: `initialise` them, or load a state.

    Args:
        model: the configuration.
        recompute: keep little for the backward pass (activation checkpointing).
    """
    return Networks(model.width, MOMENTUM[model.batch_norm], recompute=recompute)
