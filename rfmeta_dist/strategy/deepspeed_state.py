"""Do what follows the loss under DeepSpeed: reduce gradients, step Adam, and gather its state by name.

ZeRO joins all parameters to one flat tensor and cuts it into W equal pieces, also in the middle of a parameter.
A worker holds its piece of the master weights, of Adam's moments and of the reduced gradient. DeepSpeed records
for each parameter which part of it lies in this worker's piece (`_hp_mapping`, None if no part does). Its own
functions gather the parts in float32; the functions here do so in the parameters' precision.

This module uses internals of DeepSpeed 0.19. The tests compare each of them with plain PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rfmeta_dist.strategy.api import MOMENTS, Adam, Tensors
from rfmeta_dist.strategy.whole import BETAS, WholeOptimisers, set_rate


class Stage0Adam(WholeOptimisers):
    """Optimiser of `training.zero=0`, in which nothing is split among the workers.

    DeepSpeed's engine only sums the workers' gradients. Every worker does Adam's step on all parameters.
    """

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        """Return the optimiser to pass to the engine."""
        return self._turns[0].optimiser

    def attach(self, engine: Any, reduced: torch.dtype) -> None:
        """Store the engine, and set the precision `reduced` in which it sends gradients."""
        self._engine = engine
        engine.communication_data_type = reduced

    def backward(self, loss: Tensor) -> None:
        """Differentiate, then reduce the gradients in the order of parameters; unused parameters count as zero.

        These are two steps, because the engine itself refuses to reduce float64.
        """
        with self._engine.no_sync():
            self._engine.backward(loss)
        gradients, engine = _complete(self._parameters.values()), self._engine
        engine.allreduce_no_retain(gradients, engine.data_parallel_group, engine.zero_reduce_bucket_size())


class PartedAdam:
    """Stages 1 and 2: each worker does Adam's step on its piece of the parameters."""

    def own(self, nets: nn.Module, adam: Adam) -> None:
        """Make the optimiser of these networks."""
        self._parameters: dict[str, Any] = dict(nets.named_parameters())
        self._clip = adam.clip
        self.optimiser = torch.optim.Adam(self._parameters.values(), lr=adam.rate, betas=BETAS)

    def attach(self, engine: Any, reduced: torch.dtype) -> None:
        """Store the engine, make it compute in the parameters' precision, and send gradients as `reduced`."""
        self._engine = engine
        self._zero = engine.optimizer
        _keep_precision(self._zero)
        self._zero.communication_data_type = reduced
        (bucket,) = self._zero.ipg_buckets.values()
        self._zero.ipg_buckets = {reduced: bucket}

    def backward(self, loss: Tensor) -> None:
        """Differentiate, then reduce the gradients in the order of parameters; unused parameters count as zero.

        By default, ZeRO-2 sends gradients in the order in which they are computed. Workers with different tasks
        compute different graphs, so gradients of different parameters would be added, or the step would fail.
        The cost is that a worker holds its whole share of the gradient until the reduction, as with DDP.
        """
        with self._engine.coalesce_grad_reduction():  # reduces at its end, also after an error
            try:
                self._engine.backward(loss)
            finally:
                _complete(self._parameters.values())

    def gradient(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return self._whole(_gradient)

    def gradient_norm(self) -> Tensor:
        """See `Strategy`."""
        first = next(iter(self._parameters.values()))
        square = torch.zeros((), dtype=torch.float64, device=first.device)
        for p in self._held():
            square += torch.linalg.vector_norm(_gradient(p), dtype=torch.float64).square()
        dist.all_reduce(square)
        return square.sqrt()

    def update(self, rate: float) -> None:
        """See `Strategy`. DeepSpeed's clipping is not used: its float32 norm changes moments by 1e-7."""
        if self._clip is not None:
            scale = (self._clip / (self.gradient_norm() + 1e-6)).clamp(max=1.0)
            for p in self._held():
                _gradient(p).mul_(scale)
        set_rate(self.optimiser, rate)
        self._engine.step()

    def discard(self) -> None:
        """See `Strategy`."""
        zero = self._zero
        zero.zero_grad(set_to_none=True)
        for group in zero.averaged_gradients:
            zero.averaged_gradients[group] = None
        zero.micro_step_id = -1  # otherwise offload adds the next gradient to this one
        if zero.cpu_offload:
            zero.reset_cpu_buffers()

    def moments(self) -> dict[str, Tensor]:
        """See `Strategy`. Empty before the first step."""
        if not self.optimiser.state:
            return {}
        result: dict[str, Tensor] = {}
        for key in MOMENTS:
            whole = self._whole(partial(_moment, key=key))
            result |= {f"{key}.{name}": tensor for name, tensor in whole.items()}
        return result

    def restore(self, moments: Tensors, updates: int) -> None:
        """See `Strategy`. A parameter without moments, because it was not used so far, gets zeros."""
        zero = self._zero
        zero.refresh_fp32_params()
        for piece in zero.single_partition_of_fp32_groups:
            own = {key: torch.zeros_like(piece) for key in MOMENTS}
            self.optimiser.state[piece] = {"step": torch.tensor(float(updates)), **own}
        zero._hp_optimizer_states_linked = False
        zero._lazy_init_hp_params_optimizer_state()
        for name, p in self._parameters.items():
            for key in MOMENTS:
                if p._hp_mapping is not None and f"{key}.{name}" in moments:
                    _moment(p, key).copy_(moments[f"{key}.{name}"].flatten()[_part(p)])

    def _held(self) -> list[Any]:
        """Return the parameters of which a part lies in this worker's piece."""
        return [p for p in self._parameters.values() if p._hp_mapping is not None]

    def _whole(self, fragment: Callable[[Any], Tensor]) -> dict[str, Tensor]:
        """Return complete tensors by parameter name, gathered from the fragments in all workers' pieces."""
        parameters = self._parameters
        sizes = [p.numel() for p in parameters.values()]
        flat = next(iter(parameters.values())).new_zeros(sum(sizes))
        parts = flat.split(sizes)
        for p, part in zip(parameters.values(), parts, strict=True):
            if p._hp_mapping is not None:
                part[_part(p)] = fragment(p)
        dist.all_reduce(flat)
        return {name: part.view_as(p) for (name, p), part in zip(parameters.items(), parts, strict=True)}


def _complete(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Return the gradients of all parameters, after setting missing ones to zero."""
    gradients = []
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        gradients.append(p.grad)
    return gradients


def _part(p: Any) -> slice:
    """Return the elements of a parameter that lie in this worker's piece."""
    address = p._hp_mapping.lp_fragment_address
    return slice(address.start, address.start + address.numel)


def _gradient(p: Any) -> Tensor:
    """Return the part of a parameter's gradient in this worker's piece, as a flat tensor."""
    fragment: Tensor = p._hp_mapping.get_lp_grad_fragment(p._index_in_param_group)
    return fragment.flatten()


def _moment(p: Any, key: str) -> Tensor:
    """Return the part of one of a parameter's moments in this worker's piece, as a flat tensor."""
    fragment: Tensor = p._hp_mapping.get_hp_fragment(key)
    return fragment


def _keep_precision(zero: Any) -> None:
    """Keep master weights, moments and gradients in the parameters' own precision.

    DeepSpeed always keeps them in float32. That is right for float32 parameters, where nothing is changed. The
    proofs compute in float64, and would lose half of their digits.
    """
    dtype = zero.dtype
    if dtype == torch.float32:
        return
    zero.master_weights_and_grads_dtype = zero.gradient_accumulation_dtype = dtype
    zero.use_separate_grad_accum = zero.use_grad_accum_attribute = False
    for piece in zero.single_partition_of_fp32_groups:
        gradient, piece.grad = piece.grad, None  # set only with offload
        piece.data = piece.data.to(dtype)
        piece.grad = None if gradient is None else gradient.to(dtype)
    zero.refresh_fp32_params()
    zero._link_all_hp_params()  # the parts are views of the tensors that were just replaced
