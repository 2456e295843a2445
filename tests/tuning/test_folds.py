"""A target's figures come from trainings without the target, and trainings are shared between targets."""

from __future__ import annotations

from math import comb

import pytest

from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.folds import asked
from rfmeta_dist.tuning.study import Plan
from tests.tuning.studies import study

DATA = {name: name * 8 for name in "ABCDEFGOIM"}


@pytest.mark.parametrize("domains", ["OCIM", "ABCDE", "ABCDEFG"])
def test_a_target_is_in_no_training_that_it_asks_for(domains: str):
    plan = Plan(study(domains, seeds=[0, 3]))
    by_number = {candidate.number: candidate for candidate in plan.candidates}
    for target in domains:
        figures = asked(plan.study, target, plan.candidates)
        assert len(figures) == len(plan.candidates) * 2 * (len(domains) - 1)
        for figure in figures:
            config = folds.configuration(
                plan.study, by_number[figure.training.candidate], figure.training, DATA, ""
            )
            assert target not in config.data.sources
            assert figure.judged not in {target, *config.data.sources}
            assert len(config.data.sources) == len(domains) - 2


@pytest.mark.parametrize("domains", ["OCIM", "ABCDE", "ABCDEFG"])
def test_two_targets_share_each_training(domains: str):
    plan = Plan(study(domains))
    n = len(domains)
    assert len(plan.trainings) == len(plan.candidates) * comb(n, 2)
    wanted = {figure for target in domains for figure in asked(plan.study, target, plan.candidates)}
    assert wanted == {folds.Figure(t, judged) for t, several in plan.trainings.items() for judged in several}


def test_one_target_needs_its_own_trainings_only_and_is_not_read():
    plan = Plan(study(targets=["M"]))
    assert len(plan.trainings) == len(plan.candidates) * 3
    assert all("M" in training.without and "M" not in judged for training, judged in plan.trainings.items())
    assert plan.domains_read == ["C", "I", "O"]


def test_a_training_is_named_by_what_its_weights_depend_on():
    def names(code: str = "1", data: dict[str, str] = DATA, **changes) -> list[str]:
        plan = Plan(study(**changes))
        candidate = plan.candidates[1]
        wanted = [t for t in plan.trainings if t.candidate == 1]
        return [folds.configuration(plan.study, candidate, t, data, code).run.name for t in wanted]

    first = names()
    assert len(set(first)) == 6
    assert names(name="another", folder="elsewhere", targets=["O", "C", "I", "M"]) == first
    assert set(names(targets=["M"])) < set(first)
    assert not set(names(code="2")) & set(first)
    assert not set(names(seeds=[1])) & set(first)
    changed = names(data=DATA | {"O": "new"})
    assert [a == b for a, b in zip(first, changed, strict=True)] == [
        "_O" in name or "O_" in name for name in first
    ]
