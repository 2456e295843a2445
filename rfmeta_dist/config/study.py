"""Define and load a study: a hyperparameter search that chooses a configuration for each target domain.

For a target, every other domain in turn plays the target: a fold trains on the domains that remain and is
judged on that one. With n domains a fold trains on n − 2. The target's own data are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from rfmeta_dist.config import based
from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.fitting import require_fitting
from rfmeta_dist.config.load import explain, overridden, read_mapping
from rfmeta_dist.config.methods.facts import FIRST_PHASE
from rfmeta_dist.config.mistakes import did_you_mean, first
from rfmeta_dist.config.phases import require_last_phase
from rfmeta_dist.config.points import read_points, require_points
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.search import MOST_CANDIDATES, Budget, Search, Seed
from rfmeta_dist.config.section import Name, Place, Section
from rfmeta_dist.config.space import extremes, read_space, require_possible, size_of_grid
from rfmeta_dist.config.ties import require_different_weights
from rfmeta_dist.config.words import typed
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

FEWEST_DOMAINS = {"nested": 4, "source_validation": 3}
LONGEST = 85  # characters of the names of study and domain, so that the run of a choice has at most 100
SOBOL_FIELDS = 21  # as many as tuning/sobol.py has a dimension for


class Study(Section):
    """A hyperparameter search that chooses a configuration for each target domain without reading its data."""

    name: Name = Field(description="name of the study; the same name again continues the study")
    folder: Place = Field(
        "runs", validate_default=True, description="folder of studies, a local path or an s3:// prefix"
    )
    base: Config = Field(
        description="configuration from which all candidates start, or the path of its file relative to the "
        "study file. Its sources, and its target if it has one, are the domains of the study. Its "
        "training.seed has no effect"
    )
    space: Mapping[str, Distribution] = Field(
        description="dotted field of the configuration and the values to search, such as "
        "`method.depth_weight: {loguniform: [1, 100]}`; uniform, int and choice are the other forms"
    )
    search: Search = Field(Search(), description="how candidates are proposed, and when the worse ones stop")
    budget: Budget = Field(Budget(), description="what the study may spend")
    seeds: tuple[Seed, ...] = Field((0,), description="seeds with which each candidate is trained")
    metric: Literal["hter", "auc"] = Field(
        "hter", description="the figure that is compared: the lowest HTER or the highest AUC, by video"
    )
    selection: Literal["nested", "source_validation"] = Field(
        "nested",
        description="judge a candidate on each source in turn, which its training then does without (nested); "
        "or train it on all sources and judge it on their validation splits, which show other people but the "
        "same cameras, light and attacks (source_validation)",
    )
    targets: tuple[Name, ...] = Field(
        (), description="domains for which a configuration is chosen; all if not given"
    )

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the domains of the study, sorted: the base's sources, and its target if it has one."""
        return tuple(sorted(self.base.data.domains))

    @model_validator(mode="before")
    @classmethod
    def _named_base(cls, given: Any) -> Any:
        return based.named_base(given)

    @field_validator("name")
    @classmethod
    def _not_shared(cls, name: str) -> str:
        if name in ("trainings", "figures"):
            raise ValueError(f"{name} is the folder of what studies share; give the study another name")
        return name

    @field_validator("space", mode="before")
    @classmethod
    def _typed_space(cls, space: Any) -> Any:
        return read_space(space) if isinstance(space, Mapping) else space

    @field_validator("search", mode="before")
    @classmethod
    def _typed_points(cls, search: Any) -> Any:
        if not isinstance(search, Mapping) or "points" not in search:
            return search
        return {**search, "points": read_points(search["points"])}

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("no seed is given; give at least one, such as seeds: [0]")
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed is given twice; remove the repetition")
        return seeds

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for target in self.targets:
            if target not in self.domains:
                raise ConfigError(
                    f"targets: {target} is not a domain of the study, which has {', '.join(self.domains)}",
                    did_you_mean(target, self.domains),
                )
        if len(set(self.targets)) < len(self.targets):
            raise ConfigError("targets: a domain is named twice", "remove the repetition")
        self._require_domains()
        longest = max(map(len, self.domains))
        if len(self.name) + longest > LONGEST:
            raise ConfigError(
                f"name: the study's name has {len(self.name)} characters and a domain's {longest}, together "
                "too many for the name of a run",
                f"give the study a name of at most {LONGEST - longest} characters",
            )
        fold = self._fold()
        require_possible(fold, self.space)
        require_different_weights(fold, self.space)
        self._require_rungs()
        self._require_own_weights()
        self._require_one_model()
        require_points(fold, self.space, self.search)
        if self.search.learns:
            require_fitting(fold, self.space)
        if self.search.kind == "gp":
            _require_no_conditions(self.space)
        if self.search.kind == "grid":
            _require_small_grid(self.space)
        elif self.search.kind != "random" and len(self.space) > SOBOL_FIELDS:
            raise ConfigError(
                f"space has {len(self.space)} fields, but search.kind={self.search.kind} can spread at most "
                f"{SOBOL_FIELDS}",
                "set search.kind=random, or remove fields",
            )
        return self

    def _require_own_weights(self) -> None:
        if self.base.training.start:
            raise ConfigError(
                f"base.training.start={self.base.training.start}: a fold must not know the domain that it "
                "leaves out, but a trained model may have been trained on it",
                "remove base.training.start",
            )
        if self.base.model.weights and "model.backbone" in self.space:
            raise ConfigError(
                "space.model.backbone: base.model.weights holds the weights of one network, so another "
                "backbone cannot begin with them",
                "remove space.model.backbone and start a study for each network, or remove base.model.weights",
            )

    def _require_one_model(self) -> None:
        rule = self.base.evaluation.checkpoint
        if rule == "best":
            raise ConfigError(
                "base.evaluation.checkpoint: a study judges a training at one step and keeps no earlier "
                "checkpoints of it, so there is no best one to choose",
                "set base.evaluation.checkpoint to last or average",
            )
        if "training.average" in self.space and rule != "average":
            raise ConfigError(
                f"space.training.average: base.evaluation.checkpoint is {rule}, so no model is made of the "
                "average, and all values of this field tie",
                "set base.evaluation.checkpoint=average and base.training.average, or remove "
                "space.training.average",
            )

    def _require_rungs(self) -> None:
        rungs, steps = self.search.rungs, self.base.training.steps
        if rungs and "training.steps" in self.space:
            raise ConfigError(
                "space.training.steps: candidates that are compared at the steps of search.rungs must all "
                "train for the same number of steps",
                "remove space.training.steps or search.rungs",
            )
        if rungs and rungs[-1] >= steps:
            raise ConfigError(
                f"search.rungs: step {rungs[-1]} is not before the end of a training, which has {steps} steps",
                "give smaller steps, or raise base.training.steps",
            )
        field = f"method.{FIRST_PHASE}"
        shares = extremes(field, self.space[field]) if field in self.space else ()
        share = max(shares, default=getattr(self.base.method, FIRST_PHASE, None))
        named = self.space.get("method.name")
        require_last_phase(rungs, steps, named.values if named else (self.base.method.name,), share)

    def _require_domains(self) -> None:
        if self.base.data.within:
            raise ConfigError(
                f"base: data.within={self.base.data.within} trains and judges within one domain, but a study "
                "judges candidates on domains that they were not trained on",
                "remove base.data.within, and set base.data.sources and base.data.target",
            )
        have, need = len(self.domains), FEWEST_DOMAINS[self.selection]
        if have >= need:
            return
        shown = f"base: the study has the {have} domains {', '.join(self.domains)}"
        add = f"add domains to base.data.sources until the study has {need} or more"
        if self.selection == "source_validation":
            raise ConfigError(
                f"{shown}, so a target has {have - 1} source to train on, and a training needs two", add
            )
        other = (
            ", or set selection=source_validation, which judges candidates on the sources' validation splits"
        )
        raise ConfigError(
            f"{shown}. A fold trains without the target and without the domain that plays the target, so it "
            f"has {have - 2} domain to train on, and a training needs two",
            add + (other if have >= FEWEST_DOMAINS["source_validation"] else ""),
        )

    def _fold(self) -> Config:
        """Return the base as the first fold trains it, which has one source fewer than the base."""
        tree = self.base.model_dump(mode="json")
        left_out = 2 if self.selection == "nested" else 1
        tree["data"] |= {"sources": list(self.domains[left_out:]), "target": self.domains[0]}
        try:
            return Config.model_validate(tree)
        except ValidationError as error:
            found = first(error)
        here = len(self.domains) - left_out
        raise ConfigError(
            f"base: a fold trains on {here} of the {len(self.domains)} domains, which is not possible: "
            f"{found.name and found.name + ': '}{found.message}",
            found.remedy or "change the base",
        )


def _require_small_grid(space: Mapping[str, Distribution]) -> None:
    if (points := size_of_grid(space)) > MOST_CANDIDATES:
        raise ConfigError(
            f"the grid of space has {points} combinations of values, and at most {MOST_CANDIDATES} are allowed",
            "give fewer values, or set search.kind=sobol",
        )


def _require_no_conditions(space: Mapping[str, Distribution]) -> None:
    for name, distribution in space.items():
        if distribution.when:
            field, value = next(iter(distribution.when.items()))
            raise ConfigError(
                f"space.{name} has the condition {field}={value}, but search.kind=gp learns only about fields "
                "that every candidate sets",
                f"set search.kind=tpe, or remove the condition from space.{name}",
            )


def load_study(path: Path, overrides: Sequence[str] = ()) -> Study:
    """Read a study file and apply overrides such as `search.candidates=8` or `base.training.steps=100`.

    Args:
        path: the YAML file.
        overrides: texts of the form `field=value`. `space.FIELD={uniform: [0, 1]}` replaces the distribution
            of a field, and `base=other.yaml` replaces the base.

    Raises:
        ConfigError: the file, or that of its base, is missing or not YAML; or a field is unknown, of the wrong
            type or out of range.
    """
    words = read_mapping(path, "study")
    if "base" in words:
        words["base"] = based.read_base(words["base"], path)
    words = overridden(words, overrides, f"study {path}", _layers(path))
    try:
        return Study.model_validate(typed(words, Study))
    except ValidationError as error:
        raise explain(error, Study, "study") from None


def _layers(study: Path) -> Callable[[str, Any], list[dict[str, Any]]]:
    """Return the function that turns an override into mappings to merge, for `overridden`."""

    def layers(name: str, value: Any) -> list[dict[str, Any]]:
        section, _, field = name.partition(".")
        if section == "space" and field:  # replace the distribution: two that are merged would be of two kinds
            return [{"space": {field: None}}, {"space": {field: value}}]
        return based.layers(study, name, value)

    return layers
