"""The configuration's `model` → networks."""

from __future__ import annotations

from torch import nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.models.networks import Networks

MOMENTUM = {"stable": 0.1, "paper": 1.0}  # of M's running statistics; F and D use 0.1 in both


def build(model: Model, *, checkpointing: bool = False, second_order: bool = False) -> Networks:
    """Networks as configured, with weights still to be set: `start` does, or load a state.

    Args:
        model: the configuration.
        checkpointing: keep little for the backward pass (activation checkpointing).
        second_order: let F's and D's gradients be differentiated again; see `Networks`.
    """
    extractor: nn.Module | None = None
    if model.backbone.startswith("vit"):
        from rfmeta_dist.models.vit import VisionTransformer

        extractor = VisionTransformer(
            model.backbone,
            model.width,
            checkpointing=checkpointing,
            second_order=second_order,
        )
    elif model.backbone.startswith("convnext"):
        from rfmeta_dist.models.convnext import ConvNeXt

        extractor = ConvNeXt(model.backbone, model.width, checkpointing=checkpointing)
    return Networks(
        model.width,
        MOMENTUM[model.batch_norm],
        extractor=extractor,
        checkpointing=checkpointing,
        second_order=second_order,
    )


def start(model: Model, seed: int, *, checkpointing: bool = False, second_order: bool = False) -> Networks:
    """Networks as a run starts with them: drawn from the seed, F from `model.weights` if given.

    Raises:
        ConfigError: the weights are missing, damaged or of another network.
    """
    nets = build(model, checkpointing=checkpointing, second_order=second_order).initialise(seed)
    if model.weights:
        from rfmeta_dist.models.attach import Backbone
        from rfmeta_dist.models.pretrained import load_weights

        assert isinstance(nets.F, Backbone)
        load_weights(nets.F, model.weights)
    return nets
