"""Measure how much each field of a study's space mattered for a target, by PED-ANOVA."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.translate import distribution, in_space, quietly, to_optuna
from rfmeta_dist.tuning.view import View

if TYPE_CHECKING:
    Values = dict[str, Any]

FEWEST = 12  # candidates: a quarter of fewer says nothing
BEST = 0.25
SHUFFLES = 100
CHANCE = 0.95


@dataclass(frozen=True)
class Importance:
    """How much each field mattered.

    Attributes:
        step: the step at which the candidates were compared.
        candidates: number of candidates that were compared.
        shares: share of each field, the largest first; they sum to 1.
        chance: for each field the share that it stays below in 95 of 100 cases if it has no influence.
    """

    step: int
    candidates: int
    shares: Mapping[str, float]
    chance: Mapping[str, float]


def importance(study: Study, view: View) -> Importance | str:
    """Return how much each field mattered for a target, or a sentence that says why this is not known.

    The measure is PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255): how much the values of a field among the
    best quarter of the candidates differ from those among all. Candidates are compared at the latest step to
    which at least `FEWEST` of them came, because the ones that came to the end are a selection of the best.
    Those that failed rank below all others. The same measure with shuffled scores gives the level of chance.

    Args:
        study: the study.
        view: what the target knows.

    Raises:
        ModuleNotFoundError: optuna is not installed.
    """
    if len(study.space) < 2:
        return "The space has only one field."
    step, compared = _compared(study, view)
    if len(compared) < FEWEST:
        return (
            f"Too few candidates to tell: {len(compared)} were judged at the same step, and it takes {FEWEST}."
        )
    scores = [score for _, score in compared]
    if len(set(scores)) == 1:
        return "All candidates have the same score."
    import numpy as np

    with quietly():
        measure = _measure(study, [values for values, _ in compared])
        found = measure(scores)
        random = np.random.default_rng(0)
        shuffled = [measure(random.permutation(scores).tolist()) for _ in range(SHUFFLES)]
    total = sum(found.values())
    if not total > 0:
        return "The best candidates have the same values as the others."
    chance = {name: float(np.quantile([one[name] for one in shuffled], CHANCE)) / total for name in found}
    shares = sorted(((name, part / total) for name, part in found.items()), key=lambda item: -item[1])
    return Importance(step, len(compared), dict(shares), chance)


def _compared(study: Study, view: View) -> tuple[int, list[tuple[Values, float]]]:
    """Return the step at which candidates are compared, and the values and the score of each, lower is better.

    Candidates with a value outside the space are left out, which only the base can have.
    """
    sign = 1 if study.metric == "hter" else -1
    counts: dict[int, int] = {}
    for entry in view.entries:
        for step in entry.rungs:
            counts[step] = counts.get(step, 0) + 1
    enough = [step for step, count in counts.items() if count >= FEWEST]
    step = max(enough) if enough else max(counts, key=lambda step: counts[step], default=0)
    found, base = [], study.base.model_dump(mode="json")
    for entry in view.entries:
        values = in_space(study, base, entry.candidate)
        score = entry.told.rungs.get(step)
        lost = entry.failed or (score is not None and math.isnan(score))
        if values is not None and (lost or score is not None):
            found.append((values, math.inf if lost or score is None else sign * score))
    return step, found


def _measure(study: Study, candidates: Sequence[Values]) -> Callable[[Sequence[float]], dict[str, float]]:
    """Return a function that measures each field's importance, given a score of each candidate."""
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    history = optuna.create_study()
    distributions = {name: distribution(given) for name, given in study.space.items()}
    for values in candidates:
        params = {name: to_optuna(study.space[name], value) for name, value in values.items()}
        used = {name: distributions[name] for name in params}
        history.add_trial(create_trial(value=0.0, params=params, distributions=used))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=BEST)

    def measure(scores: Sequence[float]) -> dict[str, float]:
        worst = max(score for score in scores if math.isfinite(score)) + 1
        finite = [score if math.isfinite(score) else worst for score in scores]
        return get_param_importances(
            history, evaluator=evaluator, target=lambda trial: finite[trial.number], normalize=False
        )

    return measure
