"""Define the sections of the configuration about training: episodes, optimisation and workers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from rfmeta_dist.config.methods import MetaTestMode
from rfmeta_dist.config.section import Place, Section


class EpisodeChoice(Section):
    """How many of the source domains an episode has."""

    domains: int | None = Field(
        None,
        ge=2,
        description="number of source domains in an episode, meta-train and meta-test domains together; all if "
        "not given. If fewer, domains take turns: in N episodes each of N sources is in equally many episodes, "
        "and is the meta-test domain once",
    )


class Training(Section):
    """The optimisation, and the workers that it runs on."""

    start: Place | None = Field(
        None,
        description="begin with the weights of this trained model: the folder of a run or of its model, local "
        "or s3://…, which all machines see. If not given, training begins with random weights, or with F's of "
        "model.weights, which is not read if this field is set",
    )
    steps: int = Field(1000, ge=1, le=10_000_000, description="number of optimiser steps")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="learning rate of Adam; β in the paper")
    decay: Literal["none", "cosine"] = Field(
        "none",
        description="keep the learning rate constant (none), as in the paper, or let it fall to 0 along half a "
        "cosine until the last step (cosine)",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="seed of initial weights, batches and episodes")
    episodes: int = Field(1, ge=1, le=1024, description="episodes in a step; their gradients are averaged")
    clip: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="norm to which the gradient of all parameters is clipped; none if not given",
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32",
        description="precision of F and D: fp32; bf16, with about three digits; or tf32, with which a GPU "
        "multiplies with three digits and computes the rest in fp32. M and the losses stay in fp32 with bf16",
    )
    deterministic: bool = Field(
        False,
        description="on a GPU, compute only in ways that give the same bits each time, so that a resumed run "
        "ends with the same weights bit for bit; slower. A CPU always does so",
    )
    not_finite: Literal["stop", "skip"] = Field(
        "stop",
        description="if a loss or gradient is NaN or infinite, end the run (stop) or leave out the step (skip)",
    )
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")
    keep: int = Field(
        2,
        ge=1,
        le=1000,
        description="number of newest checkpoints that are kept. If the last one is damaged, the run continues "
        "from the one before; evaluation.candidates are chosen among them",
    )
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="keep an exponential average of the weights with this decay a step, over about 1 / (1 - "
        "average) steps: 0.99 for 100. For evaluation.checkpoint=average; the training itself stays the same",
    )
    workers: int = Field(2, ge=1, le=1024, description="number of Ray Train workers")
    strategy: Literal["single", "ddp", "deepspeed"] = Field(
        "ddp", description="how workers add their gradients; single is for one worker"
    )
    zero: int = Field(2, ge=0, le=3, description="ZeRO stage of strategy deepspeed: 0, 1 or 2")
    offload: bool = Field(
        False, description="keep the optimiser's state in main memory; for strategy deepspeed"
    )
    bf16_reduce: bool = Field(False, description="send gradients between workers as bf16, which is less exact")
    meta_test: MetaTestMode = Field(
        "shard",
        description="split the meta-test batch among the workers (shard), or let each compute all of it",
    )
    activation_checkpointing: bool = Field(
        False, description="compute activations again in the backward pass, which needs less memory"
    )
    threads: int = Field(1, ge=1, le=256, description="CPU threads of a worker")
    gpus: int = Field(0, ge=0, le=1, description="GPUs of a worker")
    restarts: int = Field(
        3, ge=0, le=1000, description="times that workers are restarted without a new checkpoint in between"
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
    def _tf32_needs_a_gpu(self) -> Training:
        if self.precision == "tf32" and self.gpus == 0:
            raise ValueError(
                "precision 'tf32' is for workers with a GPU; set training.gpus=1, or training.precision=fp32"
            )
        return self

    @model_validator(mode="after")
    def _something_to_offload(self) -> Training:
        if self.offload and (self.strategy != "deepspeed" or self.zero == 0):
            raise ValueError(
                "offload is for strategy deepspeed with ZeRO stage 1 or 2; "
                "set training.strategy=deepspeed and training.zero=2, or set training.offload=false"
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
