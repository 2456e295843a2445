"""Do Adam's step on parameters and gradients that every worker holds completely, for `single` and `ddp`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rfmeta_dist.strategy.api import MOMENTS, Adam, Tensors

BETAS = (0.9, 0.999)


def set_rate(adam: torch.optim.Adam, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in adam.param_groups:
        group["lr"] = rate


class WholeAdam:
    """The part of a strategy that follows the reduction of gradients: clipping, Adam and its state."""

    def own(self, nets: nn.Module, adam: Adam) -> None:
        """Make the optimiser of these networks."""
        self._parameters = dict(nets.named_parameters())
        self._clip = adam.clip
        self._adam = torch.optim.Adam(self._parameters.values(), lr=adam.rate, betas=BETAS)

    def gradient(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return {
            name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for name, p in self._parameters.items()
        }

    def gradient_norm(self) -> Tensor:
        """See `Strategy`."""
        gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    def update(self, rate: float) -> None:
        """See `Strategy`."""
        set_rate(self._adam, rate)
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._clip)
        self._adam.step()
        self.discard()

    def discard(self) -> None:
        """See `Strategy`."""
        self._adam.zero_grad(set_to_none=True)

    def moments(self) -> dict[str, Tensor]:
        """See `Strategy`. A parameter that never had a gradient has no moments."""
        state = self._adam.state
        return {
            f"{key}.{name}": state[p][key].clone()
            for name, p in self._parameters.items()
            if p in state
            for key in MOMENTS
        }

    def restore(self, moments: Tensors, updates: int) -> None:
        """See `Strategy`."""
        for name, p in self._parameters.items():
            if f"{MOMENTS[0]}.{name}" in moments:
                own = {key: moments[f"{key}.{name}"].to(p, copy=True) for key in MOMENTS}
                self._adam.state[p] = {"step": torch.tensor(float(updates)), **own}
