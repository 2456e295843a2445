"""The configuration of a run. Every field checks itself; an error names the field, its value and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from rfmeta_dist.config.methods import METHODS, MethodFacts, own_fields, owners
from rfmeta_dist.config.section import Name, Place, Section
from rfmeta_dist.config.training import EpisodeChoice, Training
from rfmeta_dist.core.patches import Patches

NAMED = "the learning rule"  # describes method.name
PATCH_SIDE = 64  # in pixels, if data.image_size is not given


class Run(Section):
    """Where results go: `folder/name`, a local path or an `s3://` prefix. The name is the resume key."""

    name: Name = Field(description="of the run; the same name again resumes the run")
    folder: Place = Field("runs", validate_default=True, description="where the folders of runs are")


class Augmentation(Section):
    """How much training samples are varied, anew in each epoch; the paper does not.

    Hue is left alone: it is among what tells a print or a screen from skin.
    """

    flip: float = Field(0.5, ge=0, le=1, description="probability of a mirror image")
    crop: float = Field(
        0.2, ge=0, lt=1, description="largest part of the side that is cut off; of a patch nothing is"
    )
    brightness: float = Field(0.1, ge=0, le=1, description="largest change, of the full range")
    contrast: float = Field(0.2, ge=0, le=1, description="largest change, relative")
    saturation: float = Field(0.2, ge=0, le=1, description="largest change, relative")
    cutout: float = Field(0.0, ge=0, le=1, description="side of a black square, of the image's")
    blur: float = Field(0.0, ge=0, le=10, description="largest deviation of a Gaussian, in pixels")
    noise: float = Field(
        0.0, ge=0, le=1, description="largest deviation of a sensor's noise at middle grey, of the full range"
    )
    sharpness: float = Field(0.0, ge=0, le=5, description="largest part of the fine detail that is added again")
    coding: int = Field(
        100, ge=1, le=100, description="lowest quality of a JPEG that the sample passes through; 100 for none"
    )


class Data(Section):
    """Which shards, and how a batch is cut from them."""

    prefix: Place = Field(description="the folder or s3:// address that holds the domains")
    sources: tuple[Name, ...] = Field(description="domains to train on; at least two")
    target: Name = Field(description="domain to judge on; it must not be a source")
    view: Literal["face", "patches"] = Field("face", description="the whole crop, or patches of its own pixels")
    image_size: int = Field(
        256, ge=32, le=1024, multiple_of=32, description="side in pixels; of a patch 64, if not given"
    )
    patch_grid: int = Field(3, ge=1, le=8, description="scored patches of a face, across and down")
    batch: int = Field(20, ge=2, le=4096, multiple_of=2, description="images per domain, half live")
    augmentation: Augmentation | None = Field(None, description="of training samples; none if not given")
    cache_gb: float = Field(
        50.0,
        ge=0,
        le=1e6,
        description="of each machine's disk, for copies of shards in object storage; 0 for none",
    )

    @model_validator(mode="before")
    @classmethod
    def _side_of_a_patch(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("view") == "patches":
            return {"image_size": PATCH_SIDE, **given}
        return given

    @model_validator(mode="after")
    def _grid_of_patches(self) -> Self:
        if self.view == "face" and self.patch_grid != type(self).model_fields["patch_grid"].default:
            raise ValueError(
                f"patch_grid={self.patch_grid} is a field of view patches, not of view face; "
                "remove it, or set data.view=patches"
            )
        return self

    @field_validator("sources")
    @classmethod
    def _sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if len(sources) < 2:
            raise ValueError("needs at least two source domains: one to meta-train on, one to meta-test on")
        if len({source.casefold() for source in sources}) < len(sources):
            raise ValueError("names a domain twice; remove the repetition")
        return sources

    @model_validator(mode="after")
    def _target_is_sealed(self) -> Data:
        # Some disks and people take O and o for the same domain.
        if self.target.casefold() in {source.casefold() for source in self.sources}:
            raise ValueError(
                f"target {self.target!r} is among the sources {', '.join(self.sources)}; "
                "the target must stay unseen: remove it from data.sources"
            )
        return self

    @property
    def patches(self) -> Patches | None:
        """How patches are cut and pooled; None if the networks see whole faces."""
        return Patches(self.patch_grid) if self.view == "patches" else None

    @property
    def protocol(self) -> str:
        """The split as the field writes it, such as `O&C&I→M`."""
        return f"{'&'.join(self.sources)}→{self.target}"


class Model(Section):
    """The networks."""

    backbone: Literal["paper", "vit_micro", "vit_tiny", "vit_small", "convnext_micro", "convnext_tiny"] = Field(
        "paper", description="the feature extractor F; M and D attach to its feature map"
    )
    width: float = Field(1.0, gt=0, le=4, description="channel multiplier; 1 is the paper")
    batch_norm: Literal["stable", "paper"] = Field(
        "stable",
        description="M's running statistics: a moving average, or as the paper's release the last batch",
    )
    weights: Place | None = Field(
        None,
        description="timm's safetensors of the backbone, on every machine that trains; nothing is downloaded",
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> Model:
        if self.weights is not None and self.backbone == "paper":
            raise ValueError(
                "the paper's feature extractor has no pretrained weights; set model.backbone, "
                "or remove model.weights"
            )
        return self


class _Method(Section):
    """What every learning rule has: the paper's α, λ and μ, and how domains take turns."""

    name: str = Field("rfmeta", description=NAMED)
    inner_learning_rate: float = Field(1e-3, ge=0, le=10, description="α, the rate of the inner update")
    inner_steps: int = Field(1, ge=1, le=10, description="gradient steps of an inner update")
    depth_weight: float = Field(10.0, ge=0, le=1e4, description="λ, the weight of the depth loss")
    meta_test_weight: float = Field(1.0, ge=0, le=1e4, description="μ, the weight of the meta-test loss")
    schedule: Literal["uniform", "balanced"] = Field(
        "uniform",
        description="order of an episode of all domains: at random, or so that each domain is the meta-test "
        "domain equally often",
    )

    @property
    def facts(self) -> MethodFacts:
        """What is known of the rule; see config/methods.py."""
        return METHODS[self.name]

    def renamed(self, name: str) -> dict[str, Any]:
        """The same settings for another rule, still to be checked; own fields that it lacks are left out."""
        theirs = METHODS[name].fields if name in METHODS else {}
        settings = self.model_dump(mode="json")
        kept = {k: v for k, v in settings.items() if k not in self.facts.fields or k in theirs}
        return kept | {"name": name}

    @model_validator(mode="after")
    def _own_fields_alone(self) -> Self:
        # Files of earlier versions hold every rule's fields: at its default, a foreign one says nothing.
        for key in own_fields().keys() - self.facts.fields.keys():
            value = getattr(self, key)
            if value != type(self).model_fields[key].default:
                owner = " and ".join(owners(key))
                raise ValueError(
                    f"{key}={value} is a field of method {owner}, not of {self.name}; "
                    f"remove it, or set method.name={owners(key)[0]}"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_foreign_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        foreign = own_fields().keys() - self.facts.fields.keys()
        return {key: value for key, value in serialise(self).items() if key not in foreign}


if TYPE_CHECKING:

    class Method(_Method):
        """The learning rule; a rule's own fields are attributes too."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Method = create_model(
        "Method",
        __base__=_Method,
        __module__=__name__,
        __doc__="The learning rule, with the fields of every rule; those of others stay at their default.",
        name=(Literal[tuple(METHODS)], Field("rfmeta", description=NAMED)),
        **own_fields(),
    )


class Evaluation(Section):
    """How the trained model is judged."""

    recalibration_batches: int = Field(
        10, ge=1, le=100_000, description="batches per source domain for the batch-norm statistics"
    )
    target_split: Literal["all", "train", "validation", "test"] = Field(
        "all", description="part of the target to judge on"
    )


class Config(Section):
    """A run, whole."""

    run: Run
    data: Data
    model: Model = Model()
    method: Method = Method()
    episode: EpisodeChoice = EpisodeChoice()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()

    @property
    def episode_domains(self) -> int:
        """The number of source domains in an episode."""
        return self.episode.domains or len(self.data.sources)

    @property
    def shown_domains(self) -> str:
        """The number of source domains in words: `5`, or `3 of 5` if an episode has 3 of them."""
        chosen, sources = self.episode_domains, len(self.data.sources)
        return f"{chosen} of {sources}" if chosen < sources else f"{sources}"

    @model_validator(mode="after")
    def _domains_are_there(self) -> Config:
        sources = len(self.data.sources)
        if self.episode_domains > sources:
            raise ValueError(
                f"episode.domains={self.episode_domains}, but data.sources names {sources} domains; "
                f"set episode.domains to {sources} or less, or add domains to data.sources"
            )
        return self

    @model_validator(mode="after")
    def _enough_tasks(self) -> Config:
        training, facts = self.training, self.method.facts
        most = facts.most_workers(self.episode_domains, training.meta_test)
        if training.workers > training.episodes * most:
            raise ValueError(
                f"training.workers={training.workers}, but {self.method.name} on "
                f"{self.shown_domains} source domains has work for at most {most} worker(s) per episode; "
                f"set training.workers to {training.episodes * most} or less, "
                f"or training.episodes to {-(-training.workers // most)} or more"
            )
        return self

    @model_validator(mode="after")
    def _strategy_can(self) -> Config:
        refused = self.method.facts.refuses
        if self.training.strategy in refused:
            others = [s for s in ("ddp", "deepspeed", "single") if s not in refused]
            raise ValueError(
                f"strategy '{self.training.strategy}' cannot train {self.method.name}: "
                f"{refused[self.training.strategy]}; set training.strategy={others[0]}"
            )
        return self
