"""Compute the final batch-norm statistics of trained networks, pooled over the source domains."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.methods.base.objective import Objective
from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input


@torch.no_grad()
def recalibrate(
    nets: Networks,
    batches: Iterable[RawBatch],
    device: torch.device,
    rule: type[Objective] = Objective,
) -> int:
    """Set the running statistics of the networks that score to pooled moments over batches of all sources.

    After training, the running statistics are a moving average, or only the last batch (`batch_norm: paper`).
    So a result would depend on which domain came last. Each batch is of one domain, as in training. The pooled
    variance is the mean of the batches' second moments minus the square of the pooled mean.

    Args:
        nets: trained networks on the device; they end in evaluation mode.
        batches: batches of all source domains.
        device: device of the networks.
        rule: the learning rule, which says how faces are scored: by F and M unless it says otherwise.

    Returns:
        The number of batches. It is 0, and nothing was changed, if there are none or the networks have no batch
        norm.
    """
    layers = [layer for name in rule.SCORED for layer in norm.layers(nets.get_submodule(name))]
    if not layers:
        nets.eval()
        return 0
    nets.train()
    count, mean, square = 0, None, None
    for raw in batches:
        rule.score(nets, to_input(raw.image, device))
        seen = [layer.observed.double() for layer in layers]
        means, squares = [s[0] for s in seen], [s[1] + s[0] ** 2 for s in seen]
        mean = means if mean is None else [a + b for a, b in zip(mean, means, strict=True)]
        square = squares if square is None else [a + b for a, b in zip(square, squares, strict=True)]
        count += 1
    nets.eval()
    if mean is None or square is None:
        return 0
    for layer, m, s in zip(layers, mean, square, strict=True):
        layer.running_mean.copy_(m / count)
        layer.running_var.copy_(s / count - (m / count) ** 2)
    return count
