"""Define the configuration of a run. An error about a field names the field, its value and a remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    create_model,
    field_validator,
    model_serializer,
    model_validator,
)

from rfmeta_dist.config import presets
from rfmeta_dist.config import within as one_domain
from rfmeta_dist.config.augmentation import Augmentation
from rfmeta_dist.config.by_kind import require_of_kind
from rfmeta_dist.config.evaluation import Evaluation, require_candidates
from rfmeta_dist.config.methods import METHODS, MethodFacts, own_fields, owners
from rfmeta_dist.config.refusals import require_possible
from rfmeta_dist.config.section import Name, Place, Section
from rfmeta_dist.config.tracking import Tracking
from rfmeta_dist.config.training import EpisodeChoice, Training
from rfmeta_dist.config.within import Target, Within
from rfmeta_dist.core.patches import Patches

NAMED = "the method that is trained"  # describes method.name
PATCH_SIDE = 64  # in pixels, if data.image_size is not given


class Run(Section):
    """Where a run writes its results: the folder `folder/name`. A run is resumed by its name."""

    name: Name = Field(description="name of the run; the same name again resumes the run")
    folder: Place = Field(
        "runs", validate_default=True, description="folder of runs, a local path or an s3:// prefix"
    )


class Data(Section):
    """Which shards a run reads, and how batches are made of them."""

    prefix: Place = Field(description="place of the shards: a local folder or an s3:// prefix")
    within: Within | None = Field(
        None,
        description="train and judge within one domain, by one of its official protocols: DOMAIN/PROTOCOL, as "
        "in O/1 or O/3_2, or DOMAIN/splits for its own splits. The protocol's train part trains, its "
        "validation part sets the threshold, its test part is judged. Sources and target are then left out",
    )
    sources: tuple[Name, ...] = Field(description="domains to train on, two or more")
    target: Target | None = Field(
        None,
        description="domain to judge on, no source; training does not read its labels. If not given, the model "
        "is judged on nothing",
    )
    view: Literal["face", "patches"] = Field(
        "face", description="what the networks see: the crop scaled to image_size, or patches cut out of it"
    )
    image_size: int = Field(
        256,
        ge=32,
        le=1024,
        multiple_of=32,
        description="side of the networks' input in pixels; 64 if not given and view is patches",
    )
    patch_grid: int = Field(3, ge=1, le=8, description="patches across and down a face, for view patches")
    batch: int = Field(20, ge=2, le=4096, multiple_of=2, description="images of each domain, half of them live")
    augmentation: Augmentation | None = Field(None, description="variation of training samples, if given")
    cache_gb: float = Field(
        50.0,
        ge=0,
        le=1e6,
        description="gigabytes of each machine's disk for copies of shards from S3; 0 for none",
    )

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        side = {"image_size": PATCH_SIDE} if given.get("view") == "patches" else {}
        return one_domain.filled({**side, **given})

    @model_validator(mode="after")
    def _grid_of_patches(self) -> Self:
        if self.view == "face" and self.patch_grid != type(self).model_fields["patch_grid"].default:
            raise ValueError(
                f"patch_grid={self.patch_grid} has no effect, because data.view is face; "
                "remove it, or set data.view=patches"
            )
        return self

    @field_validator("sources")
    @classmethod
    def _sources(cls, sources: tuple[str, ...], before: ValidationInfo) -> tuple[str, ...]:
        if len(sources) < 2 and not before.data.get("within"):
            raise ValueError(
                "there must be at least two source domains, one to meta-train on and one to meta-test on; "
                "add a domain to data.sources"
            )
        if len({source.casefold() for source in sources}) < len(sources):
            raise ValueError("a domain is named twice; remove the repetition")
        return sources

    @model_validator(mode="after")
    def _target_is_sealed(self) -> Data:
        # Compare without case: some disks do not distinguish the folders O and o.
        if self.target is not None and self.target.casefold() in {source.casefold() for source in self.sources}:
            raise ValueError(
                f"target {self.target!r} is among the sources {', '.join(self.sources)}; "
                "the target must stay unseen: remove it from data.sources"
            )
        return self

    @property
    def patches(self) -> Patches | None:
        """Return how patches are cut out and their scores pooled; None if the networks see whole faces."""
        return Patches(self.patch_grid) if self.view == "patches" else None

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the sources, followed by the target if it is a domain of its own."""
        return self.sources if self.target is None or self.within else (*self.sources, self.target)

    @property
    def protocol(self) -> str:
        """Return the protocol in the notation of the literature: `O&C&I→M`, `O&C&I` without a target.

        That of a run within a domain is the value of `within`: `O/3_2`.
        """
        if self.within:
            return self.within
        return "&".join(self.sources) + (f"→{self.target}" if self.target is not None else "")


class Model(Section):
    """The networks F (feature extractor), M (meta-learner, which classifies) and D (depth estimator)."""

    backbone: Literal["paper", "vit_micro", "vit_tiny", "vit_small", "convnext_micro", "convnext_tiny"] = Field(
        "paper", description="architecture of the feature extractor F; M and D read its feature map"
    )
    width: float = Field(1.0, gt=0, le=4, description="factor of the numbers of channels; 1 as in the paper")
    batch_norm: Literal["stable", "paper"] = Field(
        "stable",
        description="running statistics of M: a moving average (stable), or the last batch (paper), as in the "
        "code that the paper's authors published",
    )
    weights: Place | None = Field(
        None,
        description="file with pretrained weights of the backbone, timm's safetensors; it must be on every "
        "machine that trains, and nothing is downloaded",
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
    """The settings that all learning rules share: the paper's α, λ and μ, and the order of domains."""

    name: str = Field("rfmeta", description=NAMED)
    inner_learning_rate: float = Field(
        1e-3, ge=0, le=10, description="learning rate of the inner update; α in the paper"
    )
    inner_steps: int = Field(1, ge=1, le=10, description="gradient steps of the inner update")
    depth_weight: float = Field(10.0, ge=0, le=1e4, description="weight of the depth loss; λ in the paper")
    meta_test_weight: float = Field(1.0, ge=0, le=1e4, description="weight of meta-test losses; the paper's μ")
    schedule: Literal["uniform", "balanced"] = Field(
        "uniform", description="meta-test domains are chosen at random (uniform), or take turns (balanced)"
    )

    @property
    def facts(self) -> MethodFacts:
        """Return the description of the rule in config/methods/."""
        return METHODS[self.name]

    def renamed(self, name: str) -> dict[str, Any]:
        """Return the same settings for another rule, not checked yet, without the fields that it lacks."""
        theirs = METHODS[name].fields if name in METHODS else {}
        settings = self.model_dump(mode="json")
        kept = {k: v for k, v in settings.items() if k not in self.facts.fields or k in theirs}
        return kept | {"name": name}

    @model_validator(mode="after")
    def _own_fields_alone(self) -> Self:
        # Files of earlier versions contain the fields of all rules. Accept those at their defaults.
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
        """The learning rule. Its own fields are attributes too."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Method = create_model(
        "Method",
        __base__=_Method,
        __module__=__name__,
        __doc__="The method, and fields of single methods. Those of other methods must have their defaults.",
        name=(Literal[tuple(METHODS)], Field("rfmeta", description=NAMED)),
        **own_fields(),
    )


class Config(Section):
    """The whole configuration of a run."""

    run: Run
    data: Data
    model: Model = Model()
    method: Method = Method()
    episode: EpisodeChoice = EpisodeChoice()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    tracking: Tracking = Tracking()

    @property
    def episode_domains(self) -> int:
        """Return the number of source domains in an episode."""
        return self.episode.domains or len(self.data.sources)

    @property
    def shown_domains(self) -> str:
        """Return the number of source domains as text: `5`, or `3 of 5` if an episode has 3 of them."""
        chosen, sources = self.episode_domains, len(self.data.sources)
        return f"{chosen} of {sources}" if chosen < sources else f"{sources}"

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        return one_domain.judged_on_test(presets.filled(given)) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _within_is_possible(self) -> Config:
        if self.data.within:
            one_domain.require_possible(self.data.within, self.method.name, self.evaluation.target_split)
        return self

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
        allowed = "1" if training.episodes * most == 1 else f"{training.episodes * most} or less"
        if training.workers > training.episodes * most:
            raise ValueError(
                f"training.workers={training.workers}, but {self.method.name} on "
                f"{self.shown_domains} source domains has work for at most {most} worker(s) per episode; "
                f"set training.workers to {allowed}, "
                f"or training.episodes to {-(-training.workers // most)} or more"
            )
        return self

    @model_validator(mode="after")
    def _candidates_are_kept(self) -> Config:
        require_candidates(self.evaluation, self.training.keep, self.training.average)
        return self

    @model_validator(mode="after")
    def _method_can(self) -> Config:
        require_possible(self.method.name, self.method.facts, self.training)
        require_of_kind(self.method.name, self.method.facts, self.training.start, self.data.view)
        return self
