"""Make small extractors: with initial weights, and perturbed in float64 so that every part has an effect."""

from collections.abc import Callable

import torch
from torch import Tensor

from rfmeta_dist.core.seeds import seed as derive_seed
from rfmeta_dist.models.attach import Backbone
from rfmeta_dist.models.convnext import ConvNeXt
from rfmeta_dist.models.vit import VisionTransformer

MAKE: dict[str, Callable[..., Backbone]] = {"vit_micro": VisionTransformer, "convnext_micro": ConvNeXt}


def initialised(name: str, seed: int = 0, **options) -> Backbone:
    extractor = MAKE[name](name, 0.1, **options)
    extractor.initialise(lambda parameter: torch.Generator().manual_seed(derive_seed(seed, parameter)))
    return extractor


def perturbed(name: str, **options) -> Backbone:
    """Convert to float64 and perturb, so that no weight is 0 or 1 and every branch has an effect."""
    extractor = initialised(name, **options).double()
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in extractor.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return extractor


def pixels(size: int, count: int = 2) -> Tensor:
    return torch.rand(count, 6, size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
