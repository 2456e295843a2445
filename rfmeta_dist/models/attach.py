"""Define what the larger extractors share: how they connect to M and D, and how their weights are initialised.

    feature maps of any stride and width → LayerNorm → linear to C channels → resize to S/8 → deep, shallow

These extractors have LayerNorm and no batch norm. So a sample's features do not depend on the rest of its
batch, and workers that share a batch exchange nothing. They have no dropout, so equal weights give equal
features.

Inside, maps are B×h×h×C (channels last), as LayerNorm and linear layers need them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import SharedBatch
from rfmeta_dist.models.derivatives import recomputed
from rfmeta_dist.models.networks import BLOCK, Features, scaled

EPSILON = 1e-6  # of every LayerNorm, as in the pretrained networks
INITIAL_DEVIATION = 0.02  # of the truncated normal distribution of initial weights
INITIAL_GAMMA = 1e-6  # factor of a residual branch at the start: the branch contributes almost nothing


def mlp(channels: int) -> nn.Module:
    """Return the two linear layers of a block, … × C → … × C, with 4·C hidden channels."""
    wide = 4 * channels
    layers = {"fc1": nn.Linear(channels, wide), "act": nn.GELU(), "fc2": nn.Linear(wide, channels)}
    return nn.Sequential(OrderedDict(layers))


def resize(x: Tensor, side: int, mode: Literal["bilinear", "bicubic"]) -> Tensor:
    """Resize B×h×h×C to B×side×side×C, like PyTorch's `interpolate` with antialiasing, without aligned corners.

    A resize is linear and separable, so it is computed as two small matrix products. Their derivative sums in a
    fixed order on a GPU, which that of PyTorch's kernel does not.
    """
    before = x.shape[1]
    if before == side:
        return x
    unit = torch.eye(before, device=x.device, dtype=torch.promote_types(x.dtype, torch.float32))
    weights = f.interpolate(unit[None, None], (side, before), mode=mode, antialias=True)[0, 0].to(x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        rows = weights @ x.flatten(2)
        # `len(x)` would give a number that an export takes for fixed.
        y: Tensor = weights @ rows.reshape(x.shape[0], side, before, -1)
    return y


class Attach(nn.Module):
    """Convert feature maps to `Features`: the first three maps become `shallow`, the last becomes `deep`.

    Args:
        channels: number of channels of each map, at least three maps.
        width: channel multiplier of M and D; 1 is the paper's C = 128.
    """

    def __init__(self, channels: Sequence[int], width: float) -> None:
        super().__init__()
        out = scaled(BLOCK[-1], width)
        self.norms = nn.ModuleList(nn.LayerNorm(c, EPSILON) for c in channels)
        self.projections = nn.ModuleList(nn.Linear(c, out) for c in channels)

    def forward(self, maps: Sequence[Tensor], side: int) -> Features:
        """Convert maps B×h×h×channels, which differ in h, to deep B×C×side×side and shallow B×3C×side×side."""
        fitted = [
            resize(project(norm(x)), side, "bilinear")
            for norm, project, x in zip(self.norms, self.projections, maps, strict=True)
        ]
        shallow = torch.cat(fitted[:3], dim=-1)
        return Features(fitted[-1].permute(0, 3, 1, 2), shallow.permute(0, 3, 1, 2))


class Backbone(nn.Module, ABC):
    """An extractor F with timm's parameter names, except for the parameters of `attach`, which timm lacks.

    Args:
        channels: number of channels of each map that `maps` returns.
        width: channel multiplier of M and D; it does not change the backbone itself.
        checkpointing: keep only each block's input for the backward pass, and recompute the rest.

    Attributes:
        FIRST: name of the convolution that takes the image; it has no padding.
    """

    FIRST: ClassVar[str]

    def __init__(self, channels: Sequence[int], width: float, checkpointing: bool) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.attach = Attach(channels, width)

    @abstractmethod
    def maps(self, image: Tensor) -> list[Tensor]:
        """Convert B×6×S×S to feature maps B×h×h×channels, from early to late layers."""

    def forward(self, image: Tensor, shared: SharedBatch | None = None) -> Features:  # noqa: ARG002 - no batch norm
        """Convert B×6×S×S in [0, 1], S a multiple of 32, to features at S/8. `shared` is not used."""
        features: Features = self.attach(self.maps(image), image.shape[-1] // 8)
        return features

    def run(self, block: nn.Module, x: Tensor) -> Tensor:
        """Apply a block. With `checkpointing`, its activations are recomputed in the backward pass."""
        if self.checkpointing and torch.is_grad_enabled():
            return recomputed(block, x)
        y: Tensor = block(x)
        return y

    @torch.no_grad()
    def initialise(self, draw: Callable[[str], torch.Generator]) -> None:
        """Draw all weights: Xavier normal in `attach`, truncated normal elsewhere, as is usual for these.

        Args:
            draw: maps a parameter's name, as in `named_parameters`, to the random generator for it.
        """
        for name, parameter in self.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(INITIAL_GAMMA)
            elif parameter.ndim == 1:  # biases, and the weights of LayerNorm
                parameter.fill_(1.0 if name.endswith(".weight") else 0.0)
            elif name.startswith("attach."):
                nn.init.xavier_normal_(parameter, generator=draw(name))
            else:
                nn.init.trunc_normal_(parameter, std=INITIAL_DEVIATION, generator=draw(name))
