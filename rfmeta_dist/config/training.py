"""The sections of the configuration that say how a run trains: its episodes, its optimisation, its workers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from rfmeta_dist.config.methods import MetaTestMode
from rfmeta_dist.config.section import Section


class EpisodeChoice(Section):
    """Which source domains meet in an episode."""

    domains: int | None = Field(
        None,
        ge=2,
        description="source domains of an episode, meta-train and meta-test together; all if not given. Fewer "
        "are chosen in turn: in N episodes each of N sources is used equally often and meta-tests once",
    )


class Training(Section):
    """The optimisation, and what it runs on."""

    steps: int = Field(1000, ge=1, le=10_000_000, description="training steps in all")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="β, Adam's rate")
    seed: int = Field(0, ge=0, lt=2**31, description="decides weights at the start, and the order of data")
    episodes: int = Field(1, ge=1, le=1024, description="episodes a step; their gradients are averaged")
    clip: float | None = Field(None, gt=0, le=1e6, description="largest norm of the whole gradient")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of F and D; M and the losses are fp32")
    not_finite: Literal["stop", "skip"] = Field("stop", description="what to do about a NaN or an infinity")
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")
    workers: int = Field(2, ge=1, le=1024, description="processes that share each step")
    strategy: Literal["single", "ddp", "deepspeed"] = Field(
        "ddp", description="how gradients of the workers are added; single is one worker"
    )
    zero: int = Field(2, ge=0, le=3, description="ZeRO stage of strategy deepspeed")
    offload: bool = Field(False, description="keep the optimiser of strategy deepspeed in main memory")
    bf16_reduce: bool = Field(False, description="send gradients between workers in bf16")
    meta_test: MetaTestMode = Field(
        "shard", description="split the meta-test batch among workers, or have each forward all of it"
    )
    activation_checkpointing: bool = Field(
        False, description="keep little for the backward pass, compute it again"
    )
    threads: int = Field(1, ge=1, le=256, description="CPU threads of one worker")
    gpus: int = Field(0, ge=0, le=1, description="GPUs of one worker")
    restarts: int = Field(
        3, ge=0, le=1000, description="restarts of the workers without a new checkpoint in between"
    )
    wait_s: float = Field(
        300.0, gt=0, le=1e6, description="seconds to wait until the cluster has slots for all workers"
    )

    @model_validator(mode="after")
    def _single_is_one(self) -> Training:
        if self.strategy == "single" and self.workers != 1:
            raise ValueError(
                f"strategy 'single' runs one worker, not {self.workers}; "
                "set training.workers=1 or training.strategy=ddp"
            )
        return self

    @model_validator(mode="after")
    def _something_to_offload(self) -> Training:
        if self.offload and (self.strategy != "deepspeed" or self.zero == 0):
            raise ValueError(
                "offload is for strategy deepspeed with ZeRO 1 or 2; "
                "set training.strategy=deepspeed and training.zero, or training.offload=false"
            )
        return self

    @field_validator("zero")
    @classmethod
    def _no_partitioned_parameters(cls, zero: int) -> int:
        if zero == 3:
            raise ValueError(
                "ZeRO-3 splits the parameters, but the inner update of M needs all of them; use 0, 1 or 2"
            )
        return zero
