"""Use DeepSpeed for the whole objective: with ZeRO, a worker keeps only a part of the optimiser's state.

    stage 0   every worker has everything, as with DDP
    stage 1   moments and master weights are split among the workers
    stage 2   gradients are split too

The networks keep their own precision. DeepSpeed's bf16 engine is not used.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import Peers
from rfmeta_dist.methods.base.turns import Optimiser
from rfmeta_dist.strategy import groups as teams
from rfmeta_dist.strategy.api import Adam, Tensors
from rfmeta_dist.strategy.deepspeed_state import PartedAdam, Stage0Adam

BUCKET = 2**24  # elements that are reduced at once: 64 MB of float32


class DeepSpeed:
    """The strategy `deepspeed`, for the workers of an initialised process group (gloo or NCCL).

    Args:
        zero: ZeRO stage, 0 to 2.
        offload: keep moments and master weights in main memory, and do Adam's step there.
        bf16_reduce: send gradients as bfloat16: half the traffic, but only about three exact digits.

    Raises:
        ConfigError: the stage is not 0, 1 or 2, or `offload` is set with stage 0.
    """

    def __init__(self, *, zero: int = 2, offload: bool = False, bf16_reduce: bool = False) -> None:
        if zero not in (0, 1, 2):
            raise ConfigError(
                f"training.zero={zero}, but ZeRO-3 splits the parameters, and the inner update of M needs all",
                "set training.zero to 0, 1 or 2",
            )
        if offload and zero == 0:
            raise ConfigError(
                "training.offload needs an optimiser that is split among the workers, and training.zero=0 "
                "does not split it",
                "use training.zero=1 or 2, or set training.offload=false",
            )
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()
        self._zero = zero
        self._offload = offload
        self._bf16_reduce = bf16_reduce
        self._adam = PartedAdam() if zero else Stage0Adam()

    def prepare(
        self, objective: nn.Module, nets: nn.Module, adam: Adam, optimisers: Sequence[Optimiser] = ()
    ) -> nn.Module:
        """Wrap the objective in DeepSpeed's engine; see `Strategy`.

        Raises:
            ConfigError: DeepSpeed is not installed.
            ValueError: the rule names optimisers of its own. Its facts should refuse this strategy.
        """
        if optimisers:
            raise ValueError("DeepSpeed takes one step of Adam on all parameters")
        self._adam.own(nets, adam)
        parameter = next(nets.parameters())
        engine = _engine(objective, self._adam.optimiser, self._settings(), parameter.device)
        self._adam.attach(engine, torch.bfloat16 if self._bf16_reduce else parameter.dtype)
        module: nn.Module = engine
        return module

    def _settings(self) -> dict[str, Any]:
        """Return DeepSpeed's configuration."""
        zero: dict[str, Any] = {
            "stage": self._zero,
            # All gradients are computed before the first is sent (see `PartedAdam.backward`).
            "overlap_comm": False,
            # DeepSpeed's reduce-scatter sends as much as an all-reduce, and does not support float64.
            "reduce_scatter": False,
            "reduce_bucket_size": BUCKET,
        }
        if self._offload:
            zero["offload_optimizer"] = {"device": "cpu"}
        return {
            "train_micro_batch_size_per_gpu": 1,  # DeepSpeed requires a value, which has no effect here
            "gradient_allreduce_op": "sum",
            "gradient_clipping": 0.0,  # `PartedAdam.update` clips
            "zero_optimization": zero,
            # PyTorch's Adam works in main memory too. DeepSpeed's own would have to be compiled first.
            "zero_force_ds_cpu_optimizer": False,
        }

    def peers(self, groups: Sequence[range]) -> Peers | None:
        """See `Strategy`."""
        return teams.peers(self.rank, groups)

    def backward(self, loss: Tensor) -> None:
        """See `Strategy`."""
        self._adam.backward(loss)

    def gradient(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return self._adam.gradient()

    def gradient_norm(self, turn: int = 0) -> Tensor:  # noqa: ARG002  there is one turn
        """See `Strategy`."""
        return self._adam.gradient_norm()

    def update(self, rate: float, turn: int = 0) -> None:  # noqa: ARG002
        """See `Strategy`."""
        self._adam.update(rate)

    def discard(self) -> None:
        """See `Strategy`."""
        self._adam.discard()

    def moments(self) -> dict[str, Tensor]:
        """See `Strategy`."""
        return self._adam.moments()

    def restore(self, moments: Tensors, updates: int) -> None:
        """See `Strategy`."""
        self._adam.restore(moments, updates)

    def sum(self, record: Tensor) -> Tensor:
        """See `Strategy`."""
        dist.all_reduce(record)
        return record


def _engine(
    objective: nn.Module, optimiser: torch.optim.Optimizer, settings: dict[str, Any], device: torch.device
) -> Any:
    """Return DeepSpeed's engine, which prints nothing and compiles nothing while it is made."""
    os.environ.setdefault("DS_ACCELERATOR", device.type)  # otherwise DeepSpeed searches, and warns without one
    os.environ.setdefault("LOCAL_RANK", str(device.index or 0))  # DeepSpeed requires it; its launcher sets it
    try:
        import deepspeed
    except ImportError as error:
        raise ConfigError(
            "training.strategy=deepspeed needs the package deepspeed, which is not installed",
            "install it with: pip install deepspeed, or set training.strategy=ddp",
        ) from error
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*all_gather_into_tensor` is deprecated", category=FutureWarning)
    # Declare no C++ operator as compatible, so that none is compiled. None is needed here, but DeepSpeed would
    # compile one (a shared-memory all-reduce for inference) on every CPU machine, which takes half a minute.
    deepspeed.ops.__compatible_ops__ = {}
    engine, *_ = deepspeed.initialize(
        model=objective, optimizer=optimiser, config=settings, dist_init_required=False
    )
    return engine
