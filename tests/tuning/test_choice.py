"""A target's choice is the best of its own complete candidates, and a configuration that trains without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning import choice, deploy
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.results import DIVERGED, MEMORY, Result
from tests.tuning.studies import World, result, study


def world(value: Callable[[int], Result], **changes: Any) -> World:
    """A study in which a figure depends on the candidate alone, trained to its end."""
    given = study(**changes)
    texts = {World.key_of(c): c.number for c in Plan(given).shared}
    found = World(given, lambda values, *_: value(texts[values]))
    found.run()
    return found


@pytest.mark.parametrize(("metric", "winner"), [("hter", 2), ("auc", 1)])
def test_the_best_is_chosen(metric: str, winner: int):
    level = {0: 0.3, 1: 0.4, 2: 0.2, 3: 0.35}
    found = world(lambda number: Result(level[number], level[number]), metric=metric)
    assert choice.best(found.study, found.view("C")).candidate.number == winner


def test_of_equal_candidates_the_lowest_number_is_chosen():
    found = world(lambda _: result(0.25))
    assert choice.best(found.study, found.view("C")).candidate.number == 0


def test_a_candidate_that_failed_is_not_chosen_and_its_reason_is_kept():
    found = world(lambda n: Result(None, None, "loss is NaN", DIVERGED) if n == 1 else result(0.3))
    view = found.view("C")
    assert choice.best(found.study, view).candidate.number == 0
    assert view.entries[1].failed == "loss is NaN"


def test_a_target_stops_if_its_first_three_candidates_fail_in_the_same_way():
    found = world(lambda n: Result(None, None, "no memory", MEMORY), search={"candidates": 16, "batch": 1})
    trained = {key[0] for key in found.known}
    assert len(trained) <= 4  # of 16: the fourth was begun before the third had failed
    with pytest.raises(RunError, match=r"target C was stopped: its first 3 candidates all failed.*no memory"):
        choice.best(found.study, found.view("C"))


def test_a_target_goes_on_if_its_first_candidates_fail_in_different_ways():
    kinds = {0: DIVERGED, 1: MEMORY, 2: DIVERGED}
    found = world(lambda n: Result(None, None, "x", kinds[n]) if n in kinds else result(0.3))
    assert choice.best(found.study, found.view("C")).candidate.number == 3


def test_if_all_candidates_fail_the_target_is_named():
    found = world(lambda n: Result(None, None, "loss is NaN", DIVERGED), search={"candidates": 2})
    with pytest.raises(RunError, match="all 2 candidates failed for target C; the first: loss is NaN"):
        choice.best(found.study, found.view("C"))


def test_the_choice_is_a_configuration_that_trains_on_every_other_domain(tmp_path):
    found = world(lambda number: result(0.1 if number == 2 else 0.3))
    file = tmp_path / "choice.yaml"
    file.write_text(choice.as_yaml(found.study, found.view("C")))
    config = load_config(file)
    assert (config.data.target, sorted(config.data.sources)) == ("C", ["I", "M", "O"])
    chosen = found.plan.shared[2].values
    assert config.method.inner_learning_rate == chosen["method.inner_learning_rate"]
    assert config.training.learning_rate == chosen["training.learning_rate"]
    assert config.training.seed not in found.study.seeds
    assert "Candidate 2 of 4" in file.read_text()


def test_what_is_to_be_deployed_is_best_in_the_mean_over_all_targets():
    """Each target chooses another candidate, and candidate 3, which none chooses, is best in the mean."""
    best = {("C", 0), ("I", 1), ("M", 2), ("O", 0)}
    given = study()
    numbers = {World.key_of(c): c.number for c in Plan(given).shared}

    def value(values: str, seed: int, without: tuple[str, str], judged: str, step: int) -> Result:
        (target,) = set(without) - {judged}
        number = numbers[values]
        return result(0.1 if (target, number) in best else 0.2 if number == 3 else 0.4)

    found = World(given, value)
    found.run()
    views = [found.view(target) for target in "CIMO"]
    assert [choice.best(given, view).candidate.number for view in views] == [0, 1, 2, 0]
    ranked = deploy.ranked(given, views)
    assert [one.candidate.number for one in ranked] == [3, 0, 1, 2]
    assert ranked[0].value == pytest.approx(0.2)


def test_only_candidates_that_every_target_knows_to_the_end_can_be_deployed():
    """Candidate 1 is best for O and stopped early for the others; the base is never stopped."""
    given = study(search={"candidates": 4, "rungs": [1], "keep": 0.3})
    numbers = {World.key_of(c): c.number for c in Plan(given).shared}

    def value(values: str, seed: int, without: tuple[str, str], judged: str, step: int) -> Result:
        (target,) = set(without) - {judged}
        favourite = {"O": 1}.get(target, 2)
        return result(0.1 if numbers[values] == favourite else 0.3 + numbers[values] / 100)

    found = World(given, value)
    found.run()
    views = [found.view(target) for target in "CIMO"]
    assert [one.candidate.number for one in deploy.ranked(given, views)] == [0]
