"""Compute what lies between an image and its logit: class activation, pooled features and predicted depth."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rfmeta_dist.models.networks import Networks

STRIDE = 32  # pixels of the image per place of M's last maps: 8 in F, and two 2×2 pools in M


class Looked(NamedTuple):
    """What `inside` returns; see there."""

    logit: Tensor
    activation: Tensor
    features: Tensor
    depth: Tensor


def inside(nets: Networks, image: Tensor) -> Looked:
    """Return what networks compute of images on the way to their logits.

    M ends in an average over places and a linear layer, so the class activation map of Zhou et al. (CVPR 2016)
    is exact: no gradient is needed, and the mean of the map plus the layer's bias is the logit.

    Args:
        nets: networks in evaluation mode.
        image: B×6×S×S in [0, 1], S at least 32.

    Returns:
        B logits; the B×⌊S/32⌋×⌊S/32⌋ class activation map, positive for live; B×C pooled features; and the
        B×S/8×S/8 predicted depth.
    """
    found = nets.F(image)
    maps = nets.M.maps(found.deep)
    features = maps.mean(dim=(2, 3))
    activation = torch.einsum("bcij,c->bij", maps, nets.M.fc2_1.weight[0])
    return Looked(nets.M.fc2_1(features).squeeze(1), activation, features, nets.D(found.shallow).squeeze(1))
