"""Say which trainings a target's folds need, and give each a configuration and a name by its content.

For a target T, each of its sources s in turn plays the target: a model is trained on the sources without s and
judged on s. The candidates for T are compared by these figures alone, and none of them depends on T.

A training without the domains {a, b} serves the target a, as its fold b, and the target b, as its fold a. So n
domains need n(n−1)/2 trainings for each candidate and seed, not n(n−1).

With `selection: source_validation` a target has a single fold: the model is trained on all its sources and
judged on their validation splits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.core.digests import digest
from rfmeta_dist.runs.fingerprint import fingerprint
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.results import SOURCES
from rfmeta_dist.tuning.space import apply

TRAININGS = "trainings"  # below a study's `folder`; studies in the same folder share it
LONGEST = 100  # characters of a run's name

LeftOut = tuple[str, ...]  # the domains that a training does without, sorted


@dataclass(frozen=True)
class Figure:
    """What a target asks for: how a candidate's model does on a fold after so many steps.

    Attributes:
        candidate: the candidate.
        seed: seed of the training.
        fold: the domain that plays the target, or `SOURCES`.
        step: number of steps after which the model is judged.
    """

    candidate: Candidate
    seed: int
    fold: str
    step: int


def of_target(study: Study, target: str) -> tuple[str, ...]:
    """Return the folds of a target: its sources, or `SOURCES` alone."""
    if study.selection == "source_validation":
        return (SOURCES,)
    return tuple(domain for domain in study.domains if domain != target)


def left_out(target: str, fold: str) -> LeftOut:
    """Return the domains that the training of a target's fold does without."""
    return (target,) if fold == SOURCES else tuple(sorted((target, fold)))


def judged(study: Study, without: LeftOut) -> tuple[str, ...]:
    """Return what a training's models are judged on, so that every target of the study is served at once."""
    targets = study.targets or study.domains
    if len(without) == 1:
        return (SOURCES,) if without[0] in targets else ()
    a, b = without
    return tuple(fold for target, fold in ((b, a), (a, b)) if target in targets)


def trainings(study: Study) -> list[LeftOut]:
    """Return what each training of a candidate and seed does without, if all targets want the candidate."""
    size = 2 if study.selection == "nested" else 1
    return [without for without in combinations(study.domains, size) if judged(study, without)]


def configuration(
    study: Study, candidate: Candidate, seed: int, without: LeftOut, manifests: Mapping[str, str], code: str
) -> Config:
    """Return the configuration of a training, whose target is the first domain that is left out.

    Its run has a name by content: a hash of all that its weights depend on. So a training that another target
    or study has done already is found again.

    Args:
        study: the study.
        candidate: what is trained.
        seed: the training's seed.
        without: the domains that are not trained on.
        manifests: fingerprint of the manifest to read, for each source.
        code: what else the weights depend on: versions of the code, content of pretrained weights.

    Raises:
        ConfigError: the candidate's values cannot be used with these sources.
    """
    sources = [domain for domain in study.domains if domain not in without]
    tree = apply(study.base, candidate.values).model_dump(mode="json")
    tree["data"] |= {"sources": sources, "target": without[0]}
    tree["training"]["seed"] = seed
    tree["run"] = {"name": "unnamed", "folder": f"{study.folder.rstrip('/')}/{TRAININGS}"}
    config = check(tree, f"of candidate {candidate.number} without {' and '.join(without)}")
    content = [
        fingerprint(config, {source: manifests[source] for source in sources}),
        config.evaluation.recalibration_batches,  # a model holds statistics of so many batches
        code,
    ]
    name = f"without_{'_'.join(without)}-s{seed}-{digest(json.dumps(content).encode())[:12]}"
    if len(name) > LONGEST:
        name = f"training-{digest(name.encode())[:24]}"
    return config.model_copy(update={"run": config.run.model_copy(update={"name": name})})


def with_target(config: Config, judged: str) -> Config:
    """Return the configuration of the same training with another target; the weights do not depend on it."""
    return config.model_copy(update={"data": config.data.model_copy(update={"target": judged})})
