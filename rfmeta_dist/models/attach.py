"""What the larger extractors share: how they meet M and D, and how their weights start.

    feature maps of any stride and width → LayerNorm → linear to C channels → resize to S/8 → deep, shallow

They have LayerNorm and no batch norm: a sample's features do not depend on the others in its batch, so the
peers of a spread batch have nothing to tell each other. Nor is there dropout: the same weights give the same
features.

Inside, maps are B×h×h×C (channels last), which is what LayerNorm and linear layers want.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.types import Peers
from rfmeta_dist.models.derivatives import recomputed
from rfmeta_dist.models.networks import BLOCK, Features, scaled

EPSILON = 1e-6  # of every LayerNorm, as the pretrained networks have it
INITIAL_DEVIATION = 0.02
INITIAL_GAMMA = 1e-6  # a residual branch with a gamma starts almost closed


def mlp(channels: int) -> nn.Module:
    """The two linear layers of a block, … × C → … × C, four times as wide between."""
    wide = 4 * channels
    layers = {"fc1": nn.Linear(channels, wide), "act": nn.GELU(), "fc2": nn.Linear(wide, channels)}
    return nn.Sequential(OrderedDict(layers))


def resize(x: Tensor, side: int, mode: Literal["bilinear", "bicubic"]) -> Tensor:
    """B×h×h×C → B×side×side×C, as the library's `interpolate` without aligned corners and with antialiasing.

    A resize is linear and separable, so two small matrix products do it. The derivative of the library's kernel
    adds in no fixed order on a GPU; theirs does.
    """
    before = x.shape[1]
    if before == side:
        return x
    unit = torch.eye(before, device=x.device, dtype=torch.promote_types(x.dtype, torch.float32))
    weights = f.interpolate(unit[None, None], (side, before), mode=mode, antialias=True)[0, 0].to(x.dtype)
    with torch.autocast(x.device.type, enabled=False):
        rows = weights @ x.flatten(2)
        y: Tensor = weights @ rows.reshape(len(x), side, before, -1)
    return y


class Attach(nn.Module):
    """Feature maps → Features: the first three are `shallow`, the last is `deep`, as in the paper's F.

    Args:
        channels: of each map, three at least.
        width: channel multiplier of M and D; 1 is the paper's C = 128.
    """

    def __init__(self, channels: Sequence[int], width: float) -> None:
        super().__init__()
        out = scaled(BLOCK[-1], width)
        self.norms = nn.ModuleList(nn.LayerNorm(c, EPSILON) for c in channels)
        self.projections = nn.ModuleList(nn.Linear(c, out) for c in channels)

    def forward(self, maps: Sequence[Tensor], side: int) -> Features:
        """Maps of B×h×h×channels, each with its h → deep B×C×side×side, shallow B×3C×side×side."""
        fitted = [
            resize(project(norm(x)), side, "bilinear")
            for norm, project, x in zip(self.norms, self.projections, maps, strict=True)
        ]
        shallow = torch.cat(fitted[:3], dim=-1)
        return Features(fitted[-1].permute(0, 3, 1, 2), shallow.permute(0, 3, 1, 2))


class Backbone(nn.Module, ABC):
    """An extractor F whose parameters carry timm's names, all but those of `attach`, which timm has not.

    Args:
        channels: of each map that `maps` gives.
        width: channel multiplier of M and D; the backbone itself has its own size.
        checkpointing: keep each block's input alone for the backward pass, and compute the rest again.

    Attributes:
        FIRST: the convolution that takes the image; it has no padding.
    """

    FIRST: ClassVar[str]

    def __init__(self, channels: Sequence[int], width: float, checkpointing: bool) -> None:
        super().__init__()
        self.checkpointing = checkpointing
        self.attach = Attach(channels, width)

    @abstractmethod
    def maps(self, image: Tensor) -> list[Tensor]:
        """B×6×S×S → feature maps B×h×h×channels, from early to late."""

    def forward(self, image: Tensor, peers: Peers | None = None) -> Features:  # noqa: ARG002 - no batch norm
        """B×6×S×S in [0, 1], S a multiple of 32 → features at S/8; peers make no difference."""
        features: Features = self.attach(self.maps(image), image.shape[-1] // 8)
        return features

    def run(self, block: nn.Module, x: Tensor) -> Tensor:
        """Apply a block; its inside is computed again for the backward pass if so asked."""
        if self.checkpointing and torch.is_grad_enabled():
            return recomputed(block, x)
        y: Tensor = block(x)
        return y

    @torch.no_grad()
    def initialise(self, draw: Callable[[str], torch.Generator]) -> None:
        """Draw all weights anew: Xavier normal in `attach`, elsewhere truncated normal, these networks' custom.

        Args:
            draw: a parameter's name, as in `named_parameters` → the generator to draw it with.
        """
        for name, parameter in self.named_parameters():
            if name.endswith(".gamma"):
                parameter.fill_(INITIAL_GAMMA)
            elif parameter.ndim == 1:  # the weights among these are LayerNorm's
                parameter.fill_(1.0 if name.endswith(".weight") else 0.0)
            elif name.startswith("attach."):
                nn.init.xavier_normal_(parameter, generator=draw(name))
            else:
                nn.init.trunc_normal_(parameter, std=INITIAL_DEVIATION, generator=draw(name))
