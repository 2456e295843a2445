"""Compute the two losses of the paper: the classification loss and the depth loss."""

from __future__ import annotations

import torch.nn.functional as f
from torch import Tensor


def liveness_loss(logit: Tensor, label: Tensor) -> Tensor:
    """Return L_cls: the mean binary cross entropy of B logits and B labels, 1 for live, 0 for attack."""
    return f.binary_cross_entropy_with_logits(logit, label)


def depth_loss(depth: Tensor, target: Tensor) -> Tensor:
    """Return L_dep: the mean squared error of B×1×H×W depth over images and pixels; attacks have depth zero."""
    return f.mse_loss(depth, target)
