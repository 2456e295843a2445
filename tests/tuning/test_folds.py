"""A target's figures come from trainings without the target, and trainings are shared between targets."""

from __future__ import annotations

from math import comb

import pytest

from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.plan import Plan
from tests.tuning.studies import study

DATA = {name: name * 8 for name in "ABCDEFGOIM"}


@pytest.mark.parametrize("selection", ["nested", "source_validation"])
@pytest.mark.parametrize("domains", ["OCIM", "ABCDEFG"])
def test_a_target_is_in_no_training_that_it_asks_for(domains: str, selection: str):
    given = study(domains, selection=selection)
    for target in domains:
        for fold in folds.of_target(given, target):
            without = folds.left_out(target, fold)
            config = folds.configuration(given, Plan(given).shared[1], 0, without, DATA, "")
            assert target not in config.data.sources
            assert fold not in {target, *config.data.sources}
            assert len(config.data.sources) == len(domains) - len(without)


@pytest.mark.parametrize("domains", ["OCIM", "ABCDE", "ABCDEFG"])
def test_two_targets_share_each_training(domains: str):
    plan, n = Plan(study(domains, seeds=[0, 3])), len(domains)
    assert plan.trainings == plan.total * 2 * comb(n, 2)
    wanted = {(folds.left_out(t, fold), fold) for t in domains for fold in folds.of_target(plan.study, t)}
    served = {
        (without, j) for without in folds.trainings(plan.study) for j in folds.judged(plan.study, without)
    }
    assert wanted == served
    assert len(wanted) == n * (n - 1)


def test_one_target_needs_its_own_trainings_only_and_is_not_read():
    plan = Plan(study(targets=["M"]))
    assert plan.trainings == plan.total * 3
    for without in folds.trainings(plan.study):
        assert "M" in without
        assert "M" not in folds.judged(plan.study, without)
    assert plan.domains_read == ["C", "I", "O"]


def names(code: str = "1", data: dict[str, str] = DATA, **changes) -> dict[folds.LeftOut, str]:
    given = study(**changes)
    candidate, seed = Plan(given).shared[1], given.seeds[0]
    return {
        without: folds.configuration(given, candidate, seed, without, data, code).run.name
        for without in folds.trainings(given)
    }


def test_a_training_is_named_by_what_its_weights_depend_on():
    first = names()
    assert len(set(first.values())) == 6
    assert names(name="another", folder="elsewhere", targets=["O", "C", "I", "M"]) == first
    assert names(targets=["M"]).items() < first.items()
    assert not set(names(code="2").values()) & set(first.values())
    assert not set(names(seeds=[1]).values()) & set(first.values())


def test_a_training_s_name_does_not_depend_on_the_data_of_what_it_does_without():
    """So the target's manifest, which may not be there, is in no name that the target asks for."""
    first = names()
    changed = names(data=DATA | {"O": "new"})
    for without, name in first.items():
        assert (changed[without] == name) == ("O" in without)


def test_a_leak_of_the_target_s_manifest_would_be_noticed(monkeypatch: pytest.MonkeyPatch):
    true = folds.fingerprint
    seen: dict[str, str] = {}
    monkeypatch.setattr(folds, "fingerprint", lambda config, manifests: true(config, manifests) + seen["O"])
    seen["O"] = "old"
    first = names()
    seen["O"] = "new"
    assert all(names()[without] != name for without, name in first.items() if "O" in without)
