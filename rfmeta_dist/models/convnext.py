"""Define a ConvNeXt as F (Liu et al., CVPR 2022), with the parameter names of timm's ConvNeXt.

    image 6×S×S → stem → stages at S/4, S/8, S/16 (shallow) and S/32 (deep)

`attach` resizes all maps to S/8. With S = 32 the last map has a single pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rfmeta_dist.models.attach import EPSILON, INITIAL_GAMMA, Backbone, mlp


class Size(NamedTuple):
    """Channels and number of blocks of each of the four stages."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]


SIZES = {
    "convnext_micro": Size((16, 32, 64, 128), (1, 1, 2, 1)),  # for tests and CPUs; has no pretrained weights
    "convnext_tiny": Size((96, 192, 384, 768), (3, 3, 9, 3)),
}


class _ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of B×C×H×W."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise B×C×H×W over its channels."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Block(nn.Module):
    """A depthwise 7×7 convolution and two linear layers; the result is scaled and added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, EPSILON)
        self.mlp = mlp(channels)
        self.gamma = nn.Parameter(torch.full((channels,), INITIAL_GAMMA))

    def forward(self, x: Tensor) -> Tensor:
        """B×C×H×W → B×C×H×W."""
        y = self.mlp(self.norm(self.conv_dw(x).permute(0, 2, 3, 1)))
        added: Tensor = x + (self.gamma * y).permute(0, 3, 1, 2)
        return added


class _Stage(nn.Module):
    """A stage of blocks. All stages but the first halve the map before."""

    def __init__(self, before: int, channels: int, depth: int) -> None:
        super().__init__()
        self.downsample: nn.Module = nn.Identity()
        if before != channels:
            norm, conv = _ChannelNorm(before, EPSILON), nn.Conv2d(before, channels, 2, stride=2)
            self.downsample = nn.Sequential(norm, conv)
        self.blocks = nn.ModuleList(_Block(channels) for _ in range(depth))


class ConvNeXt(Backbone):
    """F as a ConvNeXt.

    Args:
        name: one of SIZES.
        width: channel multiplier of M and D.
        checkpointing: keep only each block's input for the backward pass, and recompute the rest.
    """

    FIRST = "stem.0"

    def __init__(self, name: str, width: float = 1.0, *, checkpointing: bool = False) -> None:
        channels, depths = SIZES[name]
        super().__init__(channels, width, checkpointing)
        self.stem = nn.Sequential(nn.Conv2d(6, channels[0], 4, stride=4), _ChannelNorm(channels[0], EPSILON))
        before = (channels[0], *channels[:-1])
        self.stages = nn.ModuleList(map(_Stage, before, channels, depths))

    def maps(self, image: Tensor) -> list[Tensor]:
        """Convert B×6×S×S to four maps: B×S/4×S/4×channels[0], … B×S/32×S/32×channels[3]."""
        x = self.stem(image)
        maps = []
        for stage in self.stages:
            assert isinstance(stage, _Stage)
            x = stage.downsample(x)
            for block in stage.blocks:
                x = self.run(block, x)
            maps.append(x.permute(0, 2, 3, 1))
        return maps
