"""Define and load a retraining: when to train a challenger, how to judge it, where models are registered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from rfmeta_dist.config import based
from rfmeta_dist.config.load import explain, overridden, read_mapping
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.section import Name, Place, Section
from rfmeta_dist.config.tracking import Tracking
from rfmeta_dist.config.words import typed
from rfmeta_dist.core.errors import ConfigError


class Watch(Section):
    """What must be new for a challenger to be trained."""

    least_videos: int = Field(
        100, ge=1, le=10_000_000, description="new labelled videos that are a reason to train a challenger"
    )
    least_of_type: int = Field(
        20,
        ge=1,
        le=10_000_000,
        description="new videos of an attack type that the champion has not seen, which are a reason too",
    )
    new_domains: Literal["join", "ignore"] = Field(
        "join",
        description="a domain that appears under base.data.prefix is a reason, and one more domain of the "
        "meta-training (join), or it is left out (ignore)",
    )
    age_days: float | None = Field(
        None,
        gt=0,
        le=36_500,
        description="age of the champion in days from which on half of the videos suffice",
    )


class Challenger(Section):
    """How a challenger is trained. It is always trained on old and new data together."""

    start: Literal["champion", "afresh"] = Field(
        "champion", description="begin with the champion's weights (champion), or with random ones (afresh)"
    )
    steps: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="steps of a training that begins with the champion's weights; those of the base if not set",
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        le=1,
        description="learning rate of a training that begins with the champion's weights; that of the base if "
        "not given",
    )


class Gate(Section):
    """How a challenger must do in comparison with the champion. See docs/explanation/gate.md."""

    margin: float = Field(
        5.0,
        gt=0,
        le=50,
        description="percentage points by which the error rate of an attack type, or of live videos, may grow",
    )
    gain_level: float = Field(
        2.5, gt=0, le=20, description="level of the test for a gain, in percent, one-sided"
    )
    loss_level: float = Field(
        0.5, gt=0, le=20, description="level of each test for no loss, in percent, one-sided"
    )
    harm_level: float = Field(
        5.0,
        gt=0,
        le=20,
        description="level of the tests for harm in a cell, in percent, for all cells together",
    )


class Registered(Section):
    """Where the versions of the model are registered."""

    place: Place | None = Field(
        None,
        description="folder or s3:// prefix of promotions and audit log; folder/name/registry if not given. "
        "Only who may promote needs to write there",
    )
    mlflow: str | None = Field(
        None,
        description="address of MLflow, such as https://mlflow.example.org or sqlite:////data/mlflow.db, which "
        "then holds versions and aliases; if not given, objects in `place` hold them",
    )

    @field_validator("mlflow")
    @classmethod
    def _an_address(cls, address: str | None) -> str | None:
        try:
            return Tracking(mlflow=address).mlflow  # the same address is valid in a run
        except ValidationError as error:  # it would be told of a field registry.mlflow.mlflow
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


class Drift(Section):
    """When production scores are said to have drifted. Drift never trains or promotes anything."""

    least_videos: int = Field(200, ge=50, le=10_000_000, description="videos below which nothing is said")
    psi: float = Field(
        0.2, gt=0, le=10, description="population stability index from which on scores have drifted"
    )
    level: float = Field(
        0.1, gt=0, le=20, description="level of the Kolmogorov-Smirnov test, in percent, that confirms it"
    )
    near: float = Field(
        0.05, gt=0, le=0.5, description="distance to the threshold within which a score is near it"
    )


class Retraining(Section):
    """Everything about the scheduled retraining of one model."""

    name: Name = Field(description="name of the registered model")
    folder: Place = Field(
        "runs/retrain",
        validate_default=True,
        description="folder of attempts, a local path or an s3:// prefix",
    )
    base: Config = Field(
        description="configuration that challengers are trained with, or the path of its file relative to this "
        "one. Its sources and, if it has one, its target are all trained on"
    )
    watch: Watch = Field(Watch(), description="when a challenger is trained")
    challenger: Challenger = Field(Challenger(), description="how a challenger is trained")
    gate: Gate = Field(Gate(), description="when a challenger may replace the champion")
    drift: Drift = Field(Drift(), description="when production scores have drifted")
    registry: Registered = Field(Registered(), description="where versions are registered")
    promotion: Literal["auto", "approve"] = Field(
        "auto",
        description="promote a challenger that passes the gate (auto), or leave that to "
        "`rfmeta models promote` (approve)",
    )

    @property
    def place(self) -> str:
        """Return the folder of this retraining."""
        return f"{self.folder.rstrip('/')}/{self.name}"

    @property
    def registry_place(self) -> str:
        """Return the place of promotions and of the audit log."""
        return (self.registry.place or f"{self.place}/registry").rstrip("/")

    @model_validator(mode="before")
    @classmethod
    def _named_base(cls, given: Any) -> Any:
        return based.named_base(given)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.base.data.within:
            raise ConfigError(
                f"base: data.within={self.base.data.within} trains within one domain, but a model to deploy is "
                "trained on all domains",
                "remove base.data.within, and set base.data.sources",
            )
        if self.base.training.start is not None:
            raise ConfigError(
                f"base.training.start={self.base.training.start}: a challenger begins with the weights of the "
                "champion, or with random ones",
                "remove base.training.start, and set challenger.start to champion or afresh",
            )
        if self.base.method.facts.kind == "features":
            raise ConfigError(
                f"base.method.name={self.base.method.name}: a retraining trains networks further, and this "
                "method has none",
                "set base.method.name to a method that is trained in steps",
            )
        if len(self.base.method.facts.phases) > 1 and self.challenger.start == "champion":
            raise ConfigError(
                f"base.method.name={self.base.method.name}: this method begins each of its phases with new "
                "networks, so a challenger cannot begin with the champion's weights",
                "set challenger.start=afresh, or base.method.name to another method that is trained in steps",
            )
        if self.base.evaluation.checkpoint == "best" and self.challenger.start == "champion":
            raise ConfigError(
                "base.evaluation.checkpoint: the best of several checkpoints is not chosen in a retraining",
                "set base.evaluation.checkpoint to last or average",
            )
        return self


def load_retraining(path: Path, overrides: Sequence[str] = ()) -> Retraining:
    """Read the file of a retraining and apply overrides such as `watch.least_videos=50`.

    Args:
        path: the YAML file.
        overrides: texts of the form `field=value`. `base=other.yaml` replaces the base.

    Raises:
        ConfigError: the file, or that of its base, is missing or not YAML; or a field is unknown, of the wrong
            type or out of range.
    """
    words = read_mapping(path, "retraining")
    if "base" in words:
        words["base"] = based.read_base(words["base"], path)
    words = overridden(words, overrides, f"retraining {path}", based.layers_of(path))
    try:
        return Retraining.model_validate(typed(words, Retraining))
    except ValidationError as error:
        raise explain(error, Retraining, "retraining") from None
