"""Define a vision transformer as F (Dosovitskiy et al., ICLR 2021), with timm's parameter names.

    image 6×S×S → patches of 16×16 → tokens, and the class token, + positions → blocks → maps at S/16

The maps are the outputs of the blocks at one and two thirds of the depth, and of the last block after its norm.
The class token is in no map. It still has an effect, because every patch attends to it.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as f
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from rfmeta_dist.models.attach import EPSILON, Backbone, mlp, resize

PATCH = 16
GRID = 14  # patches per side for which positions are stored, as in timm's networks for images of 224×224


class Size(NamedTuple):
    """Channels of a token, number of blocks, attention heads in each."""

    channels: int
    depth: int
    heads: int


SIZES = {
    "vit_micro": Size(64, 4, 2),  # for tests and CPUs; has no pretrained weights
    "vit_tiny": Size(192, 12, 3),
    "vit_small": Size(384, 12, 6),
}


class _Attention(nn.Module):
    """Multi-head self-attention over all tokens."""

    def __init__(self, channels: int, heads: int, second_order: bool) -> None:
        super().__init__()
        self.heads = heads
        self.second_order = second_order
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convert B×N×C to B×N×C."""
        by_head = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=2))
        # The gradient of PyTorch's fused kernels cannot be differentiated; that of the MATH backend can.
        with sdpa_kernel(SDPBackend.MATH) if self.second_order else nullcontext():
            attended = f.scaled_dot_product_attention(*by_head)
        y: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return y


class _Block(nn.Module):
    """Attention and two linear layers; each is applied to normalised tokens and added to its input."""

    def __init__(self, channels: int, heads: int, second_order: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, EPSILON)
        self.attn = _Attention(channels, heads, second_order)
        self.norm2 = nn.LayerNorm(channels, EPSILON)
        self.mlp = mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Convert B×N×C to B×N×C."""
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class VisionTransformer(Backbone):
    """F as a vision transformer.

    Args:
        name: one of SIZES.
        width: channel multiplier of M and D.
        checkpointing: keep only each block's input for the backward pass, and recompute the rest.
        second_order: compute attention with operations whose gradients can be differentiated again.
    """

    FIRST = "patch_embed.proj"

    def __init__(
        self,
        name: str,
        width: float = 1.0,
        *,
        checkpointing: bool = False,
        second_order: bool = False,
    ) -> None:
        channels, depth, heads = SIZES[name]
        super().__init__([channels] * 3, width, checkpointing)
        self.taps = {depth // 3, 2 * depth // 3}
        self.cls_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID**2, channels))
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(6, channels, PATCH, stride=PATCH)))
        self.blocks = nn.ModuleList(_Block(channels, heads, second_order) for _ in range(depth))
        self.norm = nn.LayerNorm(channels, EPSILON)

    def maps(self, image: Tensor) -> list[Tensor]:
        """Convert B×6×S×S to three maps B×S/16×S/16×channels."""
        patches = self.patch_embed(image).permute(0, 2, 3, 1)
        side = patches.shape[1]
        batch = image.shape[0]  # `len` would give a number that an export takes for fixed
        here = torch.cat([self.cls_token.expand(batch, -1, -1), patches.flatten(1, 2)], dim=1)
        x = here + self._positions(side)
        tapped = []
        for k, block in enumerate(self.blocks, start=1):
            x = self.run(block, x)
            if k in self.taps:
                tapped.append(x)
        return [tokens[:, 1:].reshape(batch, side, side, -1) for tokens in (*tapped, self.norm(x))]

    def _positions(self, side: int) -> Tensor:
        """Return positions of the class token and of side×side patches, 1×(1+side²)×C, from the stored grid."""
        grid = resize(self.pos_embed[:, 1:].reshape(1, GRID, GRID, -1), side, "bicubic")
        return torch.cat([self.pos_embed[:, :1], grid.flatten(1, 2)], dim=1)
