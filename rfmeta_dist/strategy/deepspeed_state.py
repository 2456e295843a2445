"""What comes after the loss under DeepSpeed: the reduction, Adam, and its pieces put together by name.

ZeRO lays all parameters end to end in one flat tensor and cuts it into W equal pieces, wherever that falls.
A worker holds its piece of the master weights, of Adam's moments and of the reduced gradient. DeepSpeed notes
on each parameter which part of it lies in this worker's piece (`_hp_mapping`, None if no part does). Its own
functions to put the parts together do so in float32; ours in the parameters' precision.

Some of DeepSpeed's internals are used here, as of 0.19; the tests compare each with plain PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rfmeta_dist.strategy.api import MOMENTS, Adam, Tensors
from rfmeta_dist.strategy.whole import BETAS, WholeAdam


class Stage0Adam(WholeAdam):
    """Stage 0: the engine only reduces gradients; every worker steps on all of them."""

    @property
    def optimiser(self) -> torch.optim.Adam:
        """What the engine is given."""
        return self._adam

    def attach(self, engine: Any, reduced: torch.dtype) -> None:
        """Take the engine; gradients are sent as `reduced`."""
        self._engine = engine
        engine.communication_data_type = reduced

    def backward(self, loss: Tensor) -> None:
        """Differentiate, then reduce all parameters in their order, what takes no part as zero.

        In two steps, since the engine refuses to reduce float64 of its own accord.
        """
        with self._engine.no_sync():
            self._engine.backward(loss)
        gradients, engine = _complete(self._parameters.values()), self._engine
        engine.allreduce_no_retain(gradients, engine.data_parallel_group, engine.zero_reduce_bucket_size())


class PartedAdam:
    """Stages 1 and 2: Adam on this worker's piece of the parameters."""

    def own(self, nets: nn.Module, adam: Adam) -> None:
        """Take charge of these networks' parameters."""
        self._parameters: dict[str, Any] = dict(nets.named_parameters())
        self._clip = adam.clip
        self.optimiser = torch.optim.Adam(self._parameters.values(), lr=adam.rate, betas=BETAS)

    def attach(self, engine: Any, reduced: torch.dtype) -> None:
        """Take the engine and let it compute in the parameters' precision; gradients are sent as `reduced`."""
        self._engine = engine
        self._zero = engine.optimizer
        _keep_precision(self._zero)
        self._zero.communication_data_type = reduced
        (bucket,) = self._zero.ipg_buckets.values()
        self._zero.ipg_buckets = {reduced: bucket}

    def backward(self, loss: Tensor) -> None:
        """Differentiate, then reduce all parameters in their order, what takes no part as zero.

        Left to itself, ZeRO-2 sends the gradients that arise, in the order in which they arise. Workers with
        other tasks have another graph: they would add up what does not belong together, or fail. The price is
        that a worker holds its own share whole until then, as with DDP.
        """
        with self._engine.coalesce_grad_reduction():  # reduces at its end, whatever happens inside
            try:
                self._engine.backward(loss)
            finally:
                _complete(self._parameters.values())

    def gradient(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return self._whole(_gradient)

    def gradient_norm(self) -> float:
        """See `Strategy`."""
        first = next(iter(self._parameters.values()))
        square = torch.zeros((), dtype=torch.float64, device=first.device)
        for p in self._held():
            square += torch.linalg.vector_norm(_gradient(p), dtype=torch.float64).square()
        dist.all_reduce(square)
        return math.sqrt(square)

    def update(self) -> None:
        """See `Strategy`; DeepSpeed's own clipping takes the norm in float32, and moments change by 1e-7."""
        if self._clip is not None:
            scale = min(1.0, self._clip / (self.gradient_norm() + 1e-6))
            for p in self._held():
                _gradient(p).mul_(scale)
        self._engine.step()

    def discard(self) -> None:
        """See `Strategy`."""
        zero = self._zero
        zero.zero_grad(set_to_none=True)
        for group in zero.averaged_gradients:
            zero.averaged_gradients[group] = None
        zero.micro_step_id = -1  # or offload would add the next gradient to this one
        if zero.cpu_offload:
            zero.reset_cpu_buffers()

    def moments(self) -> dict[str, Tensor]:
        """See `Strategy`; there are none before the first step."""
        if not self.optimiser.state:
            return {}
        result: dict[str, Tensor] = {}
        for key in MOMENTS:
            whole = self._whole(partial(_moment, key=key))
            result |= {f"{key}.{name}": tensor for name, tensor in whole.items()}
        return result

    def restore(self, moments: Tensors, updates: int) -> None:
        """See `Strategy`; a parameter without moments, which took no part so far, gets zeros."""
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
        """The parameters of which some part lies in this worker's piece."""
        return [p for p in self._parameters.values() if p._hp_mapping is not None]

    def _whole(self, fragment: Callable[[Any], Tensor]) -> dict[str, Tensor]:
        """Whole tensors by parameter name; each worker adds the fragments in its piece, the rest is zero."""
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
    """The gradients of all parameters, made zero where there is none."""
    gradients = []
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
        gradients.append(p.grad)
    return gradients


def _part(p: Any) -> slice:
    """Which elements of a parameter lie in this worker's piece."""
    address = p._hp_mapping.lp_fragment_address
    return slice(address.start, address.start + address.numel)


def _gradient(p: Any) -> Tensor:
    """The fragment of a parameter's gradient in this worker's piece."""
    fragment: Tensor = p._hp_mapping.get_lp_grad_fragment(p._index_in_param_group)
    return fragment.flatten()


def _moment(p: Any, key: str) -> Tensor:
    """The fragment of one of a parameter's moments in this worker's piece."""
    fragment: Tensor = p._hp_mapping.get_hp_fragment(key)
    return fragment


def _keep_precision(zero: Any) -> None:
    """Give master weights, moments and gradients the parameters' own precision.

    DeepSpeed has them in float32 whatever the parameters are. For training that is right, and nothing is done;
    but of the float64 that proofs compute in, half the digits would go.
    """
    dtype = zero.dtype
    if dtype == torch.float32:
        return
    zero.master_weights_and_grads_dtype = zero.gradient_accumulation_dtype = dtype
    zero.use_separate_grad_accum = zero.use_grad_accum_attribute = False
    for piece in zero.single_partition_of_fp32_groups:
        gradient, piece.grad = piece.grad, None  # only offload has a buffer here
        piece.data = piece.data.to(dtype)
        piece.grad = None if gradient is None else gradient.to(dtype)
    zero.refresh_fp32_params()
    zero._link_all_hp_params()  # the fragments are views of what has just been replaced
