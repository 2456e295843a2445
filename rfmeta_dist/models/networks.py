"""Define the paper's F, M and D, and the module that holds them (Shao et al., AAAI 2020, supplementary tables).

    image 6×S×S → F → deep 128×S/8×S/8 (pool1-3)          → M → one logit, live if positive
                    → shallow 384×S/8×S/8 (pool1-1 … 1-3) → D → depth 1×S/8×S/8, at least 0

Every convolution is 3×3, stride 1, padding 1, followed by batch norm and ReLU. A width multiplier scales every
number of channels except the 6 inputs and the single outputs; 1 is the paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as f
from torch import Tensor, nn

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.core.seeds import seed as derive_seed
from rfmeta_dist.core.types import SharedBatch
from rfmeta_dist.models.chain import Manner, chain
from rfmeta_dist.models.derivatives import recomputed
from rfmeta_dist.models.norm import BatchNorm2d
from rfmeta_dist.models.pool import max_pool

BLOCK = (128, 196, 128)
META_LEARNER = (128, 256, 512)
DEPTH = (128, 64)


class Features(NamedTuple):
    """The output of F: `deep` for M (B×128×S/8×S/8), `shallow` for D (B×384×S/8×S/8)."""

    deep: Tensor
    shallow: Tensor


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times the width multiplier, at least 1."""
    return max(1, round(channels * width))


class _Convolutions(nn.Module):
    """Convolutions with batch norm and ReLU, named `conv{group}_{k}` and `bn{group}_{k}` as in the paper."""

    def __init__(self, group: int, channels: list[int], momentum: float) -> None:
        super().__init__()
        self.group = group
        self.second_order = False
        for k, (before, after) in enumerate(pairwise(channels), start=1):
            self.add_module(f"conv{group}_{k}", nn.Conv2d(before, after, 3, padding=1))
            self.add_module(f"bn{group}_{k}", BatchNorm2d(after, momentum))

    def layer(self, k: int) -> tuple[nn.Conv2d, BatchNorm2d]:
        """Return the k-th convolution and its batch norm, counting from 1."""
        conv = self.get_submodule(f"conv{self.group}_{k}")
        norm = self.get_submodule(f"bn{self.group}_{k}")
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, BatchNorm2d)
        return conv, norm

    def block(self, k: int, x: Tensor) -> Tensor:
        """Apply the k-th layer with autograd; in training without the convolution's bias (see chain.py)."""
        return _apply(*self.layer(k), x)

    def blocks(self, ks: range, x: Tensor, manner: Manner) -> Tensor:
        """Apply these layers, and a pool if `manner` asks for it; in training as one chain (see chain.py).

        Raises:
            RunError: the networks were built with second_order=True, and the batch is shared.
        """
        if self.training and not self.second_order:
            return chain(x, [self.layer(k) for k in ks], manner)
        if self.training and manner.shared is not None:
            raise RunError(
                "networks built with second_order=True cannot share a meta-test batch with other workers",
                "set training.meta_test=replicate, with which every worker forwards the whole batch",
            )
        block = _Block([self.layer(k) for k in ks], manner.pool)
        return recomputed(block, x) if self.training and manner.checkpointing else block(x)


class _Block(nn.Module):
    """Apply layers of another module one after the other with autograd, and a 2×2 max pool if `pool` is set."""

    def __init__(self, layers: list[tuple[nn.Conv2d, BatchNorm2d]], pool: bool) -> None:
        super().__init__()
        self.layers = layers
        self.lent = nn.ModuleList(module for layer in layers for module in layer)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Convert B×C×H×W to B×C'×H×W, or to B×C'×H/2×W/2 with a pool."""
        for conv, norm in self.layers:
            x = _apply(conv, norm, x)
        return max_pool(x) if self.pool else x


def _apply(conv: nn.Conv2d, norm: BatchNorm2d, x: Tensor) -> Tensor:
    if not norm.training:
        return f.relu(norm(conv(x)))
    return f.relu(norm(f.conv2d(x, conv.weight, padding=1), conv.bias))


class Extractor(_Convolutions):
    """F: conv1-1, then three blocks of three convolutions and a max pool.

    Args:
        width: channel multiplier.
        checkpointing: keep only each block's input for the backward pass, and recompute the rest.
        second_order: see `Networks`.
    """

    def __init__(self, width: float = 1.0, checkpointing: bool = False, second_order: bool = False) -> None:
        block = [scaled(c, width) for c in BLOCK]
        super().__init__(1, [6, scaled(64, width), *block, *block, *block], momentum=0.1)
        self.checkpointing, self.second_order = checkpointing, second_order

    def forward(self, image: Tensor, shared: SharedBatch | None = None) -> Features:
        """Convert B×6×S×S to features at S/8. Of a shared batch, `image` has this worker's rows."""
        manner = Manner(pool=True, checkpointing=self.checkpointing, shared=shared)
        x = image
        pools = []
        for ks in (range(1, 5), range(5, 8), range(8, 11)):
            x = self.blocks(ks, x, manner)
            pools.append(x)
        shallow = torch.cat([f.avg_pool2d(pools[0], 4), f.avg_pool2d(pools[1], 2), pools[2]], dim=1)
        return Features(pools[2], shallow)


class MetaLearner(_Convolutions):
    """M: three convolutions with max pools between them, global average pool, one linear layer.

    The inner update adapts this network.
    """

    def __init__(self, width: float = 1.0, momentum: float = 0.1) -> None:
        channels = [scaled(c, width) for c in (BLOCK[-1], *META_LEARNER)]
        super().__init__(2, channels, momentum)
        self.fc2_1 = nn.Linear(channels[-1], 1)

    def maps(self, deep: Tensor) -> Tensor:
        """Convert B×128×S/8×S/8 to the B×512×S/32×S/32 maps whose means are the pooled features."""
        x = max_pool(self.block(1, deep))
        x = max_pool(self.block(2, x))
        return self.block(3, x)

    def forward(self, deep: Tensor) -> Tensor:
        """Convert B×128×S/8×S/8 to B logits."""
        logit: Tensor = self.fc2_1(self.maps(deep).mean(dim=(2, 3)))
        return logit.squeeze(1)


class DepthEstimator(_Convolutions):
    """D: three convolutions. The last one has batch norm and ReLU too, so depth is never negative."""

    def __init__(self, width: float = 1.0, checkpointing: bool = False, second_order: bool = False) -> None:
        inside = [scaled(c, width) for c in DEPTH]
        super().__init__(3, [3 * scaled(BLOCK[-1], width), *inside, 1], momentum=0.1)
        self.checkpointing, self.second_order = checkpointing, second_order

    def forward(self, shallow: Tensor, shared: SharedBatch | None = None) -> Tensor:
        """Convert B×384×S/8×S/8 to depth B×1×S/8×S/8. Of a shared batch, B counts this worker's rows."""
        return self.blocks(
            range(1, 4),
            shallow,
            Manner(pool=False, checkpointing=self.checkpointing, shared=shared),
        )


class Networks(nn.Module):
    """The networks F, M and D. Parameters are named `F.conv1_1.weight` and so on.

    Args:
        width: channel multiplier; 1 is the paper.
        meta_learner_momentum: batch-norm momentum of M. The authors' code uses 1; the default is 0.1.
        extractor: another F with the same interface; None for the paper's.
        checkpointing: keep only the inputs of F's blocks and of D for the backward pass, and recompute the
            rest.
        second_order: compute F and D with autograd, so that their gradients can be differentiated, at twice the
            memory. If False, a second derivative through F or D raises RunError. Second derivatives through M
            are always possible.
        extra: networks of a learning rule by name; they become `X`. A model has those that its score runs.
    """

    def __init__(
        self,
        width: float = 1.0,
        meta_learner_momentum: float = 0.1,
        *,
        extractor: nn.Module | None = None,
        checkpointing: bool = False,
        second_order: bool = False,
        extra: Mapping[str, nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.F = extractor or Extractor(width, checkpointing, second_order)
        self.M = MetaLearner(width, meta_learner_momentum)
        self.D = DepthEstimator(width, checkpointing, second_order)
        if extra:
            self.X = nn.ModuleDict(dict(extra))

    @property
    def extra(self) -> dict[str, nn.Module]:
        """Return the networks of the learning rule by name; empty if it has none."""
        return dict(self.X.items()) if hasattr(self, "X") else {}

    def logits(self, image: Tensor) -> Tensor:
        """Convert B×6×S×S to B logits. Their sigmoid is the score, the probability of live. D is not used."""
        logit: Tensor = self.M(self.F(image).deep)
        return logit

    @torch.no_grad()
    def initialise(self, seed: int) -> Networks:
        """Draw all weights; each tensor depends on (seed, name) alone. Return the networks.

        Weights are Xavier normal, biases are zero, and batch norm has scale 1 and shift 0. If the extractor or
        a network of `X` has a method `initialise`, its weights are drawn by that method instead.
        """

        def draw(name: str) -> torch.Generator:
            return torch.Generator().manual_seed(derive_seed(seed, "initialise", name))

        drawn = []
        for prefix, network in (("F.", self.F), *((f"X.{n}.", x) for n, x in self.extra.items())):
            own = getattr(network, "initialise", None)
            if own is not None:
                own(lambda name, prefix=prefix: draw(f"{prefix}{name}"))
                drawn.append(prefix)
        for name, parameter in self.named_parameters():
            if name.startswith(tuple(drawn)):
                continue
            if parameter.ndim > 1:
                nn.init.xavier_normal_(parameter, generator=draw(name))
            elif "bn" not in name:
                parameter.zero_()
        return self
