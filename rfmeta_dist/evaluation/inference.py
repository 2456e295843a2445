"""From trained networks to scores: batch-norm recalibration, and σ(M(F(x))) for every frame."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.models import norm
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.models.preprocess import to_input


@torch.no_grad()
def recalibrate(nets: Networks, batches: Iterable[RawBatch], device: torch.device) -> int:
    """Set the running statistics of F and M to the pooled moments over batches of all source domains.

    After training they hold a moving average, in the paper's release even the last batch alone, so that a test
    result depends on which domain came last. Each batch is of one domain, as in training; the pooled variance
    is the mean of the batches' second moments less the square of the pooled mean.

    Returns:
        How many batches were used.
    """
    nets.train()
    count, mean, square = 0, None, None
    for raw in batches:
        nets.logits(to_input(raw.image, device))
        seen = [layer.observed.double() for network in (nets.F, nets.M) for layer in norm.layers(network)]
        means, squares = [s[0] for s in seen], [s[1] + s[0] ** 2 for s in seen]
        mean = means if mean is None else [a + b for a, b in zip(mean, means, strict=True)]
        square = squares if square is None else [a + b for a, b in zip(square, squares, strict=True)]
        count += 1
    nets.eval()
    if mean is None or square is None:
        return 0
    layers = [layer for network in (nets.F, nets.M) for layer in norm.layers(network)]
    for layer, m, s in zip(layers, mean, square, strict=True):
        layer.running_mean.copy_(m / count)
        layer.running_var.copy_(s / count - (m / count) ** 2)
    return count


@torch.no_grad()
def score(nets: Networks, raw: RawBatch, device: torch.device) -> Tensor:
    """Return the scores of a batch, computed with running statistics: B float64, the probability of live.

    Raises:
        RunError: the networks give a score that is not a number in [0, 1].
    """
    nets.eval()
    scores = torch.sigmoid(nets.logits(to_input(raw.image, device)).double()).cpu()
    # A NaN fails both comparisons. A sigmoid stays within [0, 1], so nothing else can fail.
    bad = ~((scores >= 0) & (scores <= 1))
    if bad.any():
        raise _diverged(nets, raw.keys[int(bad.nonzero()[0, 0])])
    return scores


def _diverged(nets: Networks, key: str) -> RunError:
    """The error for networks that score the sample `key` with something other than a number."""
    tensors = [tensor for tensor in nets.state_dict().values() if tensor.is_floating_point()]
    finite = all(bool(tensor.isfinite().all()) for tensor in tensors)
    largest = max(float(tensor.abs().max()) for tensor in tensors if tensor.numel())
    weights = f"finite, but as large as {largest:.1e}" if finite else "not finite"
    return RunError(
        f"the model gives a score that is not a number for sample {key}: its weights are {weights}, "
        "so the training diverged",
        "lower method.inner_rate or training.rate, and train again under a new run.name",
    )
