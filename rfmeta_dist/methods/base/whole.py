"""Put F and M together to one network, for rules whose inner updates change both."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from rfmeta_dist.models.networks import Networks


class Whole(nn.Module):
    """The classifier M(F(x)) as one network. Its parameters are those of F and M, named as in `Networks`.

    Args:
        nets: the networks; their parameters are used, not copied.
        bf16: True to run F under bf16 autocast.
    """

    def __init__(self, nets: Networks, bf16: bool = False) -> None:
        super().__init__()
        self.F, self.M = nets.F, nets.M
        self.bf16 = bf16

    def forward(self, image: Tensor) -> Tensor:
        """Convert B×6×S×S to B logits."""
        with torch.autocast(image.device.type, torch.bfloat16) if self.bf16 else nullcontext():
            deep = self.F(image).deep
        logit: Tensor = self.M(deep.to(image.dtype))
        return logit
