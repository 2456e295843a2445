"""Average the weights over the steps of a training, with weights that fall exponentially into the past."""

from __future__ import annotations

import torch
from torch import Tensor

from rfmeta_dist.models.networks import Networks
from rfmeta_dist.strategy.api import Tensors


class Average:
    """The exponential average of the parameters of F, M and D. The first worker alone holds it.

    After t optimiser steps, the parameters θ₁ … θ_t after each of them have the weights
    (1 − d) d^(t − i) / (1 − d^t), which sum to 1 (Adam's correction of bias; Kingma & Ba, ICLR 2015). So the
    initial weights are not part of it. Training does not read the average: its steps are the same without it.

    Args:
        nets: the networks that are trained.
        decay: d, in (0, 1). About 1 / (1 − d) steps count.
    """

    def __init__(self, nets: Networks, decay: float) -> None:
        self._nets, self._decay = nets, decay
        self._values: dict[str, Tensor] = {}

    @torch.no_grad()
    def add(self, updates: int) -> None:
        """Take the present parameters into the average.

        Args:
            updates: number of optimiser steps so far, this one included.
        """
        now = {name: parameter.detach() for name, parameter in self._nets.named_parameters()}
        if not self._values:
            self._values = {name: value.clone() for name, value in now.items()}
            return
        share = (1 - self._decay) / (1 - self._decay**updates)
        torch._foreach_lerp_(list(self._values.values()), [now[name] for name in self._values], share)

    def state(self) -> Tensors:
        """Return the average by parameter name, for a checkpoint; empty before the first step."""
        return self._values

    def restore(self, values: Tensors) -> None:
        """Continue from the average of a checkpoint."""
        parameters = dict(self._nets.named_parameters())
        self._values = {name: value.clone().to(parameters[name]) for name, value in values.items()}
