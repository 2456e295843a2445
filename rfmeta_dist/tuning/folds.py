"""Plan a study: which trainings its candidates need, and which of their figures each target may see.

For a target T, each of its sources s in turn plays the target: a model is trained on the sources without s and
judged on s. The candidates for T are compared by these figures alone, and none of them depends on T.

A training without the domains {a, b} serves the target a, as its fold b, and the target b, as its fold a. So n
domains need n(n−1)/2 trainings for each candidate and seed, not n(n−1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest
from rfmeta_dist.runs.fingerprint import fingerprint
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.space import apply

TRAININGS = "trainings"  # below a study's `folder`; studies in the same folder share it
LONGEST = 100  # characters of a run's name


@dataclass(frozen=True, order=True)
class Training:
    """A training of a study.

    Attributes:
        candidate: number of the candidate that is trained.
        seed: the training's seed.
        without: the two domains that are left out of its sources, sorted.
    """

    candidate: int
    seed: int
    without: tuple[str, str]


@dataclass(frozen=True, order=True)
class Figure:
    """What a target sees of a training: how its model does on the other domain that was left out."""

    training: Training
    judged: str


def asked(study: Study, target: str, candidates: Sequence[Candidate]) -> list[Figure]:
    """Return the figures by which a target's configuration is chosen: candidate by candidate, seed, fold."""
    return [
        Figure(Training(candidate.number, seed, _pair(target, source)), source)
        for candidate in candidates
        for seed in study.seeds
        for source in study.domains
        if source != target
    ]


def trainings(study: Study, candidates: Sequence[Candidate]) -> dict[Training, tuple[str, ...]]:
    """Return the trainings of a study in order, each with the domains on which its model is to be judged."""
    wanted: dict[Training, tuple[str, ...]] = {}
    targets = study.targets or study.domains
    for candidate in candidates:
        for seed in study.seeds:
            for pair in combinations(study.domains, 2):
                judged = tuple(b for b in pair if (pair[0] if b == pair[1] else pair[1]) in targets)
                if judged:
                    wanted[Training(candidate.number, seed, pair)] = judged
    return wanted


def configuration(
    study: Study, candidate: Candidate, training: Training, manifests: Mapping[str, str], code: str
) -> Config:
    """Return the configuration of a training, whose target is the first domain that is left out.

    Its run has a name by content: a hash of all that its weights depend on. So a training that another target
    or study has done already is found again.

    Args:
        study: the study.
        candidate: the candidate with the training's number.
        training: the training.
        manifests: fingerprint of the manifest to read, for each of its sources.
        code: what else the weights depend on: versions of the code, content of pretrained weights.

    Raises:
        ConfigError: the candidate's values cannot be used with these sources.
    """
    sources = [domain for domain in study.domains if domain not in training.without]
    tree = apply(study.base, candidate.values).model_dump(mode="json")
    tree["data"] |= {"sources": sources, "target": training.without[0]}
    tree["training"]["seed"] = training.seed
    tree["run"] = {"name": "unnamed", "folder": f"{study.folder.rstrip('/')}/{TRAININGS}"}
    config = check(tree, f"of candidate {candidate.number} without {' and '.join(training.without)}")
    content = [
        fingerprint(config, {source: manifests[source] for source in sources}),
        config.evaluation.recalibration_batches,  # a model holds statistics of so many batches
        code,
    ]
    name = f"without_{'_'.join(training.without)}-s{training.seed}-{digest(json.dumps(content).encode())[:12]}"
    if len(name) > LONGEST:
        name = f"training-{digest(name.encode())[:24]}"
    return config.model_copy(update={"run": config.run.model_copy(update={"name": name})})


def with_target(config: Config, judged: str) -> Config:
    """Return the configuration of the same training with another target; the weights do not depend on it."""
    return config.model_copy(update={"data": config.data.model_copy(update={"target": judged})})


def _pair(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)
