"""Make networks whose scores spread as those of trained ones do, without training them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from rfmeta_dist.config.schema import Model
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.models.build import build
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import channels
from rfmeta_dist.recipes.recalibration import recalibrate


def pictures(count: int, side: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return count×side×side×3 pictures of smooth colours, bright and dark ones."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 5, 5, 3)).astype(np.float32) * rng.uniform(0.2, 1, (count, 1, 1, 1))
    fine = [cv2.resize(one, (side, side), interpolation=cv2.INTER_LINEAR) for one in coarse.astype(np.float32)]
    noise = rng.normal(0, 6, (count, side, side, 3))
    return np.clip(np.stack(fine) + noise, 0, 255).astype(np.uint8)


@torch.no_grad()
def lively(backbone: str = "paper", width: float = 0.1, side: int = 32, seed: int = 3) -> Networks:
    """Return networks in evaluation mode whose scores of `pictures` lie between about 0.05 and 0.95."""
    nets = build(Model(backbone=backbone, width=width)).initialise(seed)
    for name, parameter in nets.named_parameters():
        if name.endswith(".gamma"):  # so that ConvNeXt's blocks contribute
            parameter.fill_(0.5)
    shown = pictures(64, side, seed=9)
    empty = np.zeros((64, side // 8, side // 8), np.uint8)
    recalibrate(nets, [RawBatch(shown, empty, np.zeros(64, np.float32), ("",) * 64)], torch.device("cpu"))
    logits = nets.logits(channels(torch.from_numpy(shown)))
    scale = 1.5 / logits.std()
    nets.M.fc2_1.weight.mul_(scale)
    nets.M.fc2_1.bias.copy_((nets.M.fc2_1.bias - logits.mean()) * scale)
    return nets.eval()
