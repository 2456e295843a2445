"""DeepSpeed around the whole objective: with ZeRO a worker keeps Adam's state of a piece of the weights alone.

    stage 0   everything whole on every worker, as with DDP
    stage 1   moments and master weights in pieces
    stage 2   gradients in pieces as well

The networks keep their own precision; DeepSpeed's bf16 engine is not used.
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
from rfmeta_dist.strategy import groups as teams
from rfmeta_dist.strategy.api import Adam, Tensors
from rfmeta_dist.strategy.deepspeed_state import PartedAdam, Stage0Adam

BUCKET = 2**24  # elements reduced at once: 64 MB of float32


class DeepSpeed:
    """W workers of an initialised process group (gloo or NCCL).

    Args:
        zero: ZeRO stage, 0 to 2.
        offload: keep moments and master weights in main memory, and step there.
        bf16_reduce: send gradients in bfloat16: half the traffic, about three digits.

    Raises:
        ConfigError: the stage is 3, or there is nothing to offload.
    """

    def __init__(self, *, zero: int = 2, offload: bool = False, bf16_reduce: bool = False) -> None:
        if zero not in (0, 1, 2):
            raise ConfigError(
                f"training.zero={zero}: ZeRO-3 splits the parameters, which the inner update of M needs whole",
                "use 0, 1 or 2",
            )
        if offload and zero == 0:
            raise ConfigError(
                "training.offload needs an optimiser that is split among the workers, and training.zero=0 "
                "does not split it",
                "use training.zero=1 or 2",
            )
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()
        self._zero = zero
        self._offload = offload
        self._bf16_reduce = bf16_reduce
        self._adam = PartedAdam() if zero else Stage0Adam()

    def prepare(self, objective: nn.Module, nets: nn.Module, adam: Adam) -> nn.Module:
        """Wrap the objective in DeepSpeed's engine.

        Raises:
            ConfigError: DeepSpeed is not installed.
        """
        self._adam.own(nets, adam)
        parameter = next(nets.parameters())
        engine = _engine(objective, self._adam.optimiser, self._settings(), parameter.device)
        self._adam.attach(engine, torch.bfloat16 if self._bf16_reduce else parameter.dtype)
        module: nn.Module = engine
        return module

    def _settings(self) -> dict[str, Any]:
        """DeepSpeed's configuration."""
        zero: dict[str, Any] = {
            "stage": self._zero,
            # All gradients are there before the first is sent (see `PartedAdam.backward`): nothing overlaps.
            "overlap_comm": False,
            # DeepSpeed's scatter is an all-reduce as well, and not meant for float64.
            "reduce_scatter": False,
            "reduce_bucket_size": BUCKET,
        }
        if self._offload:
            zero["offload_optimizer"] = {"device": "cpu"}
        return {
            "train_micro_batch_size_per_gpu": 1,  # demanded, and of no meaning to us
            "gradient_allreduce_op": "sum",
            "gradient_clipping": 0.0,  # we do it, see `PartedAdam.update`
            "zero_optimization": zero,
            # PyTorch's Adam steps on main memory too; DeepSpeed's would be compiled on the spot.
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

    def gradient_norm(self) -> float:
        """See `Strategy`."""
        return self._adam.gradient_norm()

    def update(self) -> None:
        """See `Strategy`."""
        self._adam.update()

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
        """All-reduce."""
        dist.all_reduce(record)
        return record


def _engine(
    objective: nn.Module, optimiser: torch.optim.Adam, settings: dict[str, Any], device: torch.device
) -> Any:
    """The engine, made without a word on the console and without compiling anything."""
    os.environ.setdefault("DS_ACCELERATOR", device.type)  # or it would probe, and warn where it finds none
    os.environ.setdefault("LOCAL_RANK", str(device.index or 0))  # it asks for this one variable of a launcher's
    try:
        import deepspeed
    except ImportError as error:
        raise ConfigError(
            "training.strategy=deepspeed needs DeepSpeed, which is not installed",
            "pip install deepspeed, or set training.strategy=ddp",
        ) from error
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*all_gather_into_tensor` is deprecated", category=FutureWarning)
    # Its C++ parts are of no use here: with none declared fit, none is compiled (a shared-memory
    # all-reduce for inference would be, on every CPU, for half a minute), nor is the compiler tried out.
    deepspeed.ops.__compatible_ops__ = {}
    engine, *_ = deepspeed.initialize(
        model=objective, optimizer=optimiser, config=settings, dist_init_required=False
    )
    return engine
