"""A target's choice follows from its own figures, whatever the others are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning import choice
from rfmeta_dist.tuning.folds import Figure, asked
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Plan
from tests.tuning.studies import every_figure, result, study

PLAN = Plan(study())
FIGURES = every_figure(PLAN)
VALUES = st.lists(st.sampled_from([i / 20 for i in range(21)]), min_size=len(FIGURES), max_size=len(FIGURES))


def seen(results: dict[Figure, Result], target: str = "M") -> tuple[bytes, str]:
    scored = choice.scores(PLAN.study, target, PLAN.candidates, results)
    return choice.trace(PLAN.study, target, scored), choice.as_yaml(PLAN.study, target, scored)


def poisoned(results: dict[Figure, Result], others: list[float], target: str = "M") -> dict[Figure, Result]:
    """Replace all figures that are not the target's own: those of models that saw it or were judged on it."""
    own = set(asked(PLAN.study, target, PLAN.candidates))
    return {f: results[f] if f in own else result(v) for f, v in zip(results, others, strict=True)}


@given(VALUES, VALUES)
def test_figures_that_depend_on_the_target_change_nothing(values: list[float], others: list[float]):
    results = dict(zip(FIGURES, map(result, values), strict=True))
    assert seen(poisoned(results, others)) == seen(results)


def everything(_: Any, __: str, candidates: Any) -> list[Figure]:
    numbers = {candidate.number for candidate in candidates}
    return [figure for figure in FIGURES if figure.training.candidate in numbers]


def of_another(given: Any, target: str, candidates: Any) -> list[Figure]:
    return asked(given, "O" if target != "O" else "M", candidates)


def judged_on_it(given: Any, target: str, candidates: Any) -> list[Figure]:
    return [Figure(figure.training, target) for figure in asked(given, target, candidates)]


@pytest.mark.parametrize("leak", [everything, of_another, judged_on_it])
def test_a_planted_leak_is_noticed(leak: Callable[..., list[Figure]], monkeypatch: pytest.MonkeyPatch):
    """A mean over all targets, another target's folds, and models that are judged on the target itself."""
    results = {figure: result(0.3) for figure in FIGURES}
    others = [0.1 + 0.2 * (figure.training.candidate == 2) for figure in FIGURES]
    assert seen(poisoned(results, others)) == seen(results)
    monkeypatch.setattr(choice, "asked", leak)
    assert seen(poisoned(results, others)) != seen(results)


@pytest.mark.parametrize(("metric", "winner"), [("hter", 2), ("auc", 1)])
def test_the_best_is_chosen(metric: str, winner: int):
    plan = Plan(study(metric=metric))
    level = {0: 0.3, 1: 0.4, 2: 0.2, 3: 0.35}
    results = {f: Result(level[f.training.candidate], level[f.training.candidate]) for f in every_figure(plan)}
    scored = choice.scores(plan.study, "C", plan.candidates, results)
    assert choice.best(plan.study, "C", scored).candidate.number == winner


def test_of_equal_candidates_the_lowest_number_is_chosen():
    scored = choice.scores(PLAN.study, "C", PLAN.candidates, {f: result(0.25) for f in FIGURES})
    assert choice.best(PLAN.study, "C", scored).candidate.number == 0


def test_a_candidate_that_failed_once_is_not_chosen_and_its_reason_is_kept():
    results = {f: result(0.1 if f.training.candidate == 1 else 0.3) for f in FIGURES}
    first = next(f for f in asked(PLAN.study, "C", PLAN.candidates) if f.training.candidate == 1)
    scored = choice.scores(
        PLAN.study, "C", PLAN.candidates, results | {first: Result(None, None, "loss is NaN")}
    )
    assert choice.best(PLAN.study, "C", scored).candidate.number == 0
    assert scored[1].failed == "loss is NaN"


def test_if_all_candidates_fail_the_target_is_named():
    results = {f: Result(None, None, "loss is NaN") for f in FIGURES}
    scored = choice.scores(PLAN.study, "C", PLAN.candidates, results)
    with pytest.raises(RunError, match="all 4 candidates failed for target C; the first: loss is NaN"):
        choice.best(PLAN.study, "C", scored)


def test_the_choice_is_a_configuration_that_trains_on_every_other_domain(tmp_path):
    results = {f: result(0.1 if f.training.candidate == 2 else 0.3) for f in FIGURES}
    scored = choice.scores(PLAN.study, "C", PLAN.candidates, results)
    file = tmp_path / "choice.yaml"
    file.write_text(choice.as_yaml(PLAN.study, "C", scored))
    config = load_config(file)
    assert (config.data.target, sorted(config.data.sources)) == ("C", ["I", "M", "O"])
    chosen = PLAN.candidates[2].values
    assert config.method.inner_learning_rate == chosen["method.inner_learning_rate"]
    assert config.training.learning_rate == chosen["training.learning_rate"]
    assert "Candidate 2 of 4" in file.read_text()
