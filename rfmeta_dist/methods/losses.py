"""The two losses of the paper: is it live, and does its depth look like a face's."""

from __future__ import annotations

import torch.nn.functional as f
from torch import Tensor

from rfmeta_dist.core.types import Batch


def liveness_loss(logit: Tensor, batch: Batch) -> Tensor:
    """L_cls: mean binary cross entropy of B logits against y = 1 for live, 0 for attack."""
    return f.binary_cross_entropy_with_logits(logit, batch.label)


def depth_loss(depth: Tensor, batch: Batch) -> Tensor:
    """L_dep: mean squared error of B×1×H×W depth over images and pixels; an attack's depth is zero."""
    return f.mse_loss(depth, batch.depth)
