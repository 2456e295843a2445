"""Take the largest pixel of windows, with the same bits every time if PyTorch is told to be deterministic.

On a GPU, PyTorch's own max pool adds gradients with atomic operations, whose order varies. A mask that selects
the largest pixel of each window gives the same values and derivatives. 2×2 windows do not overlap, so a pixel
gets one gradient at most, and nothing is added.
"""

from __future__ import annotations

import torch
import torch.nn.functional as f
from torch import Tensor

aten = torch.ops.aten


def max_pool(x: Tensor) -> Tensor:
    """Take the largest pixel of each 2×2 window: B×C×H×W → B×C×⌊H/2⌋×⌊W/2⌋.

    Of equal pixels the first in reading order is taken; it alone gets the gradient. The result can be
    differentiated any number of times.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return f.max_pool2d(x, 2)
    windows = _windows(x)
    return torch.where(_largest(windows), windows, 0).sum(-1)


def overlapping_max_pool(x: Tensor) -> Tensor:
    """Take the largest pixel of each 3×3 window, with a stride of 2: B×C×H×W → B×C×⌊(H−1)/2⌋×⌊(W−1)/2⌋.

    Of equal pixels the first in reading order gets the gradient.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return f.max_pool2d(x, 3, 2)
    windows = x.unfold(2, 3, 2).unfold(3, 3, 2).flatten(4)
    return torch.where(_largest(windows), windows, 0).sum(-1)


def max_pool_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the derivative with respect to x from the one with respect to `max_pool(x)`.

    Args:
        gradient: B×C×H/2×W/2.
        x: B×C×H×W with even H and W.
    """
    if not torch.are_deterministic_algorithms_enabled():
        _, where = aten.max_pool2d_with_indices(x, [2, 2], [2, 2])
        result: Tensor = aten.max_pool2d_with_indices_backward(
            gradient, x, [2, 2], [2, 2], [0, 0], [1, 1], False, where
        )
        return result
    parts = torch.where(_largest(_windows(x)), gradient[..., None], 0)
    return parts.view(*gradient.shape, 2, 2).transpose(3, 4).reshape(x.shape)


def _windows(x: Tensor) -> Tensor:
    """Rearrange B×C×H×W to B×C×H/2×W/2×4, the pixels of a window in reading order."""
    height, width = x.shape[2] // 2, x.shape[3] // 2
    even = x[:, :, : 2 * height, : 2 * width]
    return even.reshape(*x.shape[:2], height, 2, width, 2).transpose(3, 4).flatten(4)


def _largest(windows: Tensor) -> Tensor:
    """Return a mask of the first largest pixel of each window."""
    return windows.argmax(-1, keepdim=True) == torch.arange(windows.shape[-1], device=windows.device)
