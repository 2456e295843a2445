"""The configuration of a run. Every field checks itself; an error names the field, its value and the remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).expanduser().resolve())


Place = Annotated[str, AfterValidator(_absolute)]  # Ray's workers run in another directory
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Section(BaseModel):
    """Frozen; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(Section):
    """Where results go: `folder/name`, a local path or an `s3://` prefix. The name is the resume key."""

    name: Name
    folder: Place = Field("runs", validate_default=True)


class Data(Section):
    """Which shards, and how a batch is cut from them."""

    prefix: Place
    sources: tuple[Name, ...]
    target: Name
    image_size: int = Field(256, ge=32, le=1024, multiple_of=32)
    batch: int = Field(20, ge=2, le=4096, multiple_of=2, description="images per domain, half live")

    @field_validator("sources")
    @classmethod
    def _sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if len(sources) < 2:
            raise ValueError("needs at least two source domains: one to meta-train on, one to meta-test on")
        if len(set(sources)) < len(sources):
            raise ValueError("names a domain twice; remove the repetition")
        return sources

    @model_validator(mode="after")
    def _target_is_sealed(self) -> Data:
        if self.target in self.sources:
            raise ValueError(
                f"target {self.target!r} is among the sources {', '.join(self.sources)}; "
                "the target must stay unseen: remove it from data.sources"
            )
        return self

    @property
    def protocol(self) -> str:
        """The split as the field writes it, such as `O&C&I→M`."""
        return f"{'&'.join(self.sources)}→{self.target}"


class Model(Section):
    """The networks."""

    width: float = Field(1.0, gt=0, le=4, description="channel multiplier; 1 is the paper")
    meta_learner_momentum: float = Field(
        0.1, gt=0, le=1, description="batch-norm momentum of M; the paper's release uses 1"
    )


class Method(Section):
    """The learning rule, with the paper's α, λ and μ."""

    name: Literal["rfmeta", "no_meta"] = "rfmeta"
    inner_rate: float = Field(1e-3, ge=0, le=10, description="α")
    depth_weight: float = Field(10.0, ge=0, le=1e4, description="λ")
    meta_test_weight: float = Field(1.0, ge=0, le=1e4, description="μ")
    schedule: Literal["uniform", "balanced"] = "uniform"


class Training(Section):
    """The optimisation, and what it runs on."""

    steps: int = Field(1000, ge=1, le=10_000_000)
    rate: float = Field(1e-3, gt=0, le=1, description="β, Adam's rate")
    seed: int = Field(0, ge=0, lt=2**31)
    workers: int = Field(2, ge=1, le=1024)
    strategy: Literal["single", "ddp"] = "ddp"
    threads: int = Field(1, ge=1, le=256, description="CPU threads of one worker")
    gpus: int = Field(0, ge=0, le=1, description="GPUs of one worker")
    checkpoint_every: int = Field(100, ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _single_is_one(self) -> Training:
        if self.strategy == "single" and self.workers != 1:
            raise ValueError(
                f"strategy 'single' runs one worker, not {self.workers}; "
                "set training.workers=1 or training.strategy=ddp"
            )
        return self


class Evaluation(Section):
    """How the trained model is judged."""

    recalibration_batches: int = Field(
        10, ge=1, le=100_000, description="batches per source domain for the batch-norm statistics"
    )
    target_split: Literal["all", "train", "validation", "test"] = "all"


class Config(Section):
    """A run, whole."""

    run: Run
    data: Data
    model: Model = Model()
    method: Method = Method()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _enough_tasks(self) -> Config:
        domains = len(self.data.sources)
        tasks = domains if self.method.name == "no_meta" else domains - 1
        if self.training.workers > tasks:
            raise ValueError(
                f"training.workers={self.training.workers} but {self.method.name} on {domains} source domains "
                f"has {tasks} task(s) a step; set training.workers to {tasks} or less"
            )
        return self
