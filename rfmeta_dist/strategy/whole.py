"""Do the optimisers' steps where every worker holds all parameters and gradients: for `single` and `ddp`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rfmeta_dist.methods.base.turns import Optimiser
from rfmeta_dist.strategy.api import MOMENTS, MOMENTUM, Adam, Tensors

BETAS = (0.9, 0.999)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step."""
    for group in optimiser.param_groups:
        group["lr"] = rate


class _Turn:
    """The optimiser of one turn, the parameters that it updates, and the keys of its moments."""

    def __init__(self, parameters: dict[str, nn.Parameter], settings: Optimiser, number: int) -> None:
        self.parameters = {name: p for name, p in parameters.items() if settings.updates(name)}
        given = list(self.parameters.values())
        self.optimiser: torch.optim.Optimizer
        self.keys: tuple[str, ...]
        if settings.kind == "adam":
            self.keys = MOMENTS
            self.optimiser = torch.optim.Adam(
                given, lr=settings.rate, betas=settings.betas, weight_decay=settings.weight_decay
            )
        else:
            self.keys = MOMENTUM if settings.momentum else ()
            self.optimiser = torch.optim.SGD(
                given, lr=settings.rate, momentum=settings.momentum, weight_decay=settings.weight_decay
            )
        self._at = f"@{number}" if number else ""

    def moments(self) -> dict[str, Tensor]:
        state = self.optimiser.state
        return {
            f"{key}{self._at}.{name}": state[p][key].clone()
            for name, p in self.parameters.items()
            if p in state
            for key in self.keys
        }

    def restore(self, moments: Tensors, updates: int) -> None:
        for name, p in self.parameters.items():
            found = {key: moments.get(f"{key}{self._at}.{name}") for key in self.keys}
            own = {key: tensor.to(p, copy=True) for key, tensor in found.items() if tensor is not None}
            if own:
                self.optimiser.state[p] = {"step": torch.tensor(float(updates)), **own}


class WholeOptimisers:
    """The part of a strategy that follows the reduction of gradients: clipping, the updates and their state."""

    def own(self, nets: nn.Module, adam: Adam, optimisers: Sequence[Optimiser] = ()) -> None:
        """Make the optimisers of these networks, and freeze the parameters that none of them updates."""
        self._parameters = dict(nets.named_parameters())
        self._clip = adam.clip
        chosen = optimisers or [Optimiser(adam.rate, betas=BETAS)]
        self._turns = [_Turn(self._parameters, settings, turn) for turn, settings in enumerate(chosen)]
        for name, p in self._parameters.items():
            if not any(name in turn.parameters for turn in self._turns):
                p.requires_grad = False

    def gradient(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return {
            name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
            for name, p in self._parameters.items()
        }

    def gradient_norm(self, turn: int = 0) -> Tensor:
        """See `Strategy`."""
        parameters = self._turns[turn].parameters.values()
        return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])

    def update(self, rate: float, turn: int = 0) -> None:
        """See `Strategy`."""
        now = self._turns[turn]
        set_rate(now.optimiser, rate)
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(now.parameters.values(), self._clip)
        now.optimiser.step()
        self.discard()

    def discard(self) -> None:
        """See `Strategy`."""
        for p in self._parameters.values():
            p.grad = None

    def moments(self) -> dict[str, Tensor]:
        """See `Strategy`. A parameter that never had a gradient has no moments."""
        return {key: tensor for turn in self._turns for key, tensor in turn.moments().items()}

    def restore(self, moments: Tensors, updates: int) -> None:
        """See `Strategy`."""
        for turn in self._turns:
            turn.restore(moments, updates)
