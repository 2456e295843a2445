"""The two losses of the paper: is it live, and does its depth look like a face's."""

from __future__ import annotations

import torch.nn.functional as f
from torch import Tensor


def liveness_loss(logit: Tensor, label: Tensor) -> Tensor:
    """L_cls: mean binary cross entropy of B logits against B labels, 1 for live, 0 for attack."""
    return f.binary_cross_entropy_with_logits(logit, label)


def depth_loss(depth: Tensor, target: Tensor) -> Tensor:
    """L_dep: mean squared error of B×1×H×W depth over images and pixels; an attack's depth is zero."""
    return f.mse_loss(depth, target)
