"""Convert 8-bit crops to the networks' input: RGB and HSV in six channels, each in [0, 1].

Hue covers the full circle over [0, 1], as in the paper, which uses PIL's 0 … 255 (OpenCV's 8-bit hue ends at
179). Values are not standardised. They are computed in floating point, so they differ from PIL's rounded values
by up to 0.004.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rfmeta_dist.core.types import Batch, RawBatch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def rgb_to_hsv(rgb: Tensor) -> Tensor:
    """Convert B×3×H×W RGB in [0, 1] to HSV in [0, 1]. Hue and saturation of a grey pixel are 0."""
    value, largest = rgb.max(dim=1)
    span = value - rgb.min(dim=1).values
    grey = span == 0
    safe = torch.where(grey, torch.ones_like(span), span)
    r, g, b = rgb.unbind(1)
    sector = torch.stack([(g - b) / safe, (b - r) / safe + 2, (r - g) / safe + 4], dim=1)
    hue = sector.gather(1, largest.unsqueeze(1)).squeeze(1) / 6
    hue = torch.where(grey, torch.zeros_like(hue), hue % 1)
    saturation = span / torch.where(value == 0, torch.ones_like(value), value)
    return torch.stack([hue, saturation, value], dim=1)


def _on(device: torch.device | None, array: NDArray[Any]) -> Tensor:
    """Copy an array to the device; to a GPU from pinned memory, so that the host does not wait."""
    copy = torch.from_numpy(array.copy())  # arrays from Ray's object store are read-only, and stay Ray's
    if device is None or device.type != "cuda":
        return copy
    return copy.pin_memory().to(device, non_blocking=True)


def channels(image: Tensor) -> Tensor:
    """Convert B×S×S×3 uint8 RGB to B×6×S×S float32: RGB and HSV, each in [0, 1]."""
    rgb = image.permute(0, 3, 1, 2).float() / 255
    return torch.cat([rgb, rgb_to_hsv(rgb)], dim=1)


def to_input(image: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """Convert B×S×S×3 uint8 RGB to B×6×S×S float32 on the device, channels last for fast convolutions."""
    return channels(_on(device, image)).contiguous(memory_format=torch.channels_last)


def to_batch(raw: RawBatch, device: torch.device | None = None) -> Batch:
    """Convert a decoded batch to float32 tensors on the device."""
    depth = _on(device, raw.depth).unsqueeze(1).float() / 255
    return Batch(to_input(raw.image, device), depth, _on(device, raw.label))
