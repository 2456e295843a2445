"""Make the configurations of a grid of runs: one for each method, seed and choice of domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.methods import METHODS
from rfmeta_dist.config.mistakes import did_you_mean
from rfmeta_dist.config.presets import with_fields
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.settings import Settings
from rfmeta_dist.config.training import Training
from rfmeta_dist.core.errors import ConfigError

Choice = tuple[Mapping[str, Any], str]  # fields of the section `data`, and the name of this choice of domains


@dataclass(frozen=True)
class Refused:
    """A run that was asked for and cannot be made, because its method does not go with the other settings.

    Attributes:
        target: the domain to hold out.
        sources: the domains to train on.
        method: name of the method.
        seed: the training's seed.
        error: the error about its configuration.
    """

    target: str
    sources: Sequence[str]
    method: str
    seed: int
    error: ConfigError


@dataclass
class Made:
    """The runs of a grid.

    Attributes:
        runs: the runs, each with another name.
        refused: the runs of methods that do not go with the other settings.
        fewer: methods whose runs get fewer workers than were asked for, each with the number of workers.
    """

    runs: list[Config] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    fewer: dict[str, int] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Return a sentence for the user about each method in `fewer`, without a full stop."""
        return [
            f"{method} has work for {_counted(workers)} at most, so its runs get no more. The number of "
            "workers changes no result"
            for method, workers in self.fewer.items()
        ]


def _counted(workers: int) -> str:
    return "one worker" if workers == 1 else f"{workers} workers"


def make(
    config: Config,
    settings: Settings,
    methods: Sequence[str],
    seeds: Sequence[int],
    choices: Sequence[Choice],
) -> Made:
    """Return the runs of a grid. A method that does not go with the other settings costs no other method.

    Args:
        config: the configuration of the file's own method.
        settings: what the file says.
        methods: names of methods; that of `config` if empty.
        seeds: seeds of training; that of `config` if empty.
        choices: the domains of the runs.

    Raises:
        ConfigError: a method is unknown; or a run cannot be made although another one of its method can; or no
            run can be made.
    """
    whole = Made()
    for method in dict.fromkeys(methods or [config.method.name]):
        if method not in METHODS:
            raise ConfigError(
                f"--methods names {method!r}, and there is no such method", did_you_mean(method, list(METHODS))
            )
        made = Made()
        for seed in dict.fromkeys(seeds or [config.training.seed]):
            for data, name in choices:
                tree = settings.tree(method)
                tree["data"] = {**tree["data"], **data}
                tree["run"] = {**tree["run"], "name": f"{config.run.name}-{method}-{name}-s{seed}"}
                # The protocol of a single run is that of a plain configuration.
                shared = {"evaluation.protocol": "leave-one-out", "training.seed": seed}
                _add(made, with_fields(tree, shared), method, seed)
        if made.refused and made.runs:
            raise made.refused[0].error
        whole.runs += made.runs
        whole.refused += made.refused
        whole.fewer |= made.fewer
    if not whole.runs:
        raise whole.refused[0].error
    return whole


def _add(made: Made, tree: Mapping[str, Any], method: str, seed: int) -> None:
    """Add the run of a configuration to those that were made, or to those that are refused."""
    target = str(tree["data"]["target"])
    try:
        run, asked = _with_workers(tree, f"for target {target}")
    except ConfigError as error:
        made.refused.append(Refused(target, tree["data"].get("sources") or (), method, seed, error))
        return
    made.runs.append(run)
    if run.training.workers < asked:
        made.fewer[method] = run.training.workers


def _with_workers(tree: Mapping[str, Any], origin: str) -> tuple[Config, int]:
    """Return a checked configuration with no more workers than there is work for, and how many were asked for.

    The number of workers does not change a result, so a method of few tasks can be compared with the others.
    """
    name = "training.workers"
    alone = check(with_fields(tree, {name: 1}), origin)
    asked = tree["training"].get("workers", Training.model_fields["workers"].default)
    most = alone.training.episodes * alone.method.facts.most_workers(
        alone.episode_domains, alone.training.meta_test
    )
    workers = min(asked, most) if isinstance(asked, int) else asked
    return check(with_fields(tree, {name: workers}), origin), asked
