"""Build the networks from the configuration's `model` section."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from rfmeta_dist.config.schema import Model
from rfmeta_dist.models.networks import Networks

MOMENTUM = {"stable": 0.1, "paper": 1.0}  # momentum of M's running statistics; F and D use 0.1 in both cases


NONE: Mapping[str, nn.Module] = {}


def build(
    model: Model,
    *,
    checkpointing: bool = False,
    second_order: bool = False,
    extra: Mapping[str, nn.Module] = NONE,
) -> Networks:
    """Build networks as configured, without initial weights: use `start` instead, or load a state afterwards.

    Args:
        model: the configuration's `model` section.
        checkpointing: use activation checkpointing, which needs less memory and more time.
        second_order: allow the gradients of F and D to be differentiated again; see `Networks`.
        extra: the learning rule's own networks by name, which become `X`.
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
        extra=extra,
    )


def start(
    model: Model,
    seed: int,
    *,
    checkpointing: bool = False,
    second_order: bool = False,
    extra: Mapping[str, nn.Module] = NONE,
) -> Networks:
    """Build networks with initial weights, drawn from the seed.

    Those of F, and of extractors that the learning rule has itself, are loaded from `model.weights` if given.

    Args:
        model: the configuration's `model` section.
        seed: the run's seed.
        checkpointing: see `build`.
        second_order: see `build`.
        extra: see `build`.

    Raises:
        ConfigError: the file of weights is missing, damaged or of another network.
    """
    nets = build(model, checkpointing=checkpointing, second_order=second_order, extra=extra).initialise(seed)
    if model.weights:
        from rfmeta_dist.models.attach import Backbone
        from rfmeta_dist.models.pretrained import load_weights

        for network in (nets.F, *nets.extra.values()):
            if isinstance(network, Backbone):
                load_weights(network, model.weights)
    return nets
