"""The training step as one would first write it: eager PyTorch modules, float32, NCHW, one process."""

from __future__ import annotations

import torch
import torch.nn.functional as f
from torch import Tensor, nn
from torch.func import functional_call

from rfmeta_dist.core.types import Batch


def block(before: int, after: int) -> nn.Sequential:
    """Return a 3×3 convolution, batch norm and ReLU."""
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU())


class Plain(nn.Module):
    """The networks F, M and D at a width, with layers in the order of the paper."""

    def __init__(self, width: float) -> None:
        super().__init__()

        def c(channels: int) -> int:
            return max(1, round(channels * width))

        blocks = [
            nn.Sequential(block(c(64), c(128)), block(c(128), c(196)), block(c(196), c(128)), nn.MaxPool2d(2))
        ]
        for _ in range(2):
            layers = (block(c(128), c(128)), block(c(128), c(196)), block(c(196), c(128)), nn.MaxPool2d(2))
            blocks.append(nn.Sequential(*layers))
        self.stem, self.blocks = block(6, c(64)), nn.ModuleList(blocks)
        self.learner = nn.Sequential(
            block(c(128), c(128)), nn.MaxPool2d(2), block(c(128), c(256)), nn.MaxPool2d(2),
            block(c(256), c(512)),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c(512), 1), nn.Flatten(0),
        )  # fmt: skip
        self.depth = nn.Sequential(block(3 * c(128), c(128)), block(c(128), c(64)), block(c(64), 1))

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images B×6×S×S to the features for M and the features for D."""
        x, pools = self.stem(image), []
        for stage in self.blocks:
            x = stage(x)
            pools.append(x)
        side = x.shape[-1]
        return x, torch.cat([f.adaptive_avg_pool2d(p, side) for p in pools], 1)

    def objective(self, batches: list[Batch], rate: float, depth_weight: float) -> Tensor:
        """Return the objective J of one episode (Algorithm 1)."""
        *train, test = batches
        bce = f.binary_cross_entropy_with_logits
        own = dict(self.learner.named_parameters())
        total, adapted = test.image.new_zeros(()), []
        for batch in train:
            deep, shallow = self.features(batch.image)
            cls = bce(self.learner(deep), batch.label)
            total = total + cls + depth_weight * f.mse_loss(self.depth(shallow), batch.depth)
            gradients = torch.autograd.grad(cls, list(own.values()), create_graph=True)
            adapted.append({n: w - rate * g for (n, w), g in zip(own.items(), gradients, strict=True)})
        deep, shallow = self.features(test.image)
        total = total + depth_weight * f.mse_loss(self.depth(shallow), test.depth)
        for weights in adapted:
            total = total + bce(functional_call(self.learner, weights, (deep,)), test.label)
        return total
