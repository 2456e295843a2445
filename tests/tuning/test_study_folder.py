"""A study finds what is done already, asks for what is missing, and decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import DataError, RunError, StorageError
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import look, opened
from tests.tuning.folder import do, names, small, untils
from tests.tuning.studies import base, result


def test_what_is_done_is_not_done_again_by_another_study_either(faces: Path):
    with opened(small(faces)) as found:
        orders = found.orders()
        assert len(orders) == 24
        do(found, orders[:10])
        assert names(found.orders()) == names(orders[10:])
    with opened(small(faces, name="another", targets=["M"])) as found:
        done = set(names(orders[:10]))
        assert not set(names(found.orders())) & done
        assert len(found.orders()) == 12 - sum("M" in name.split("-")[0] for name in done)


def test_a_training_that_was_paused_goes_on_for_the_targets_that_still_want_it(faces: Path):
    config = check(base(str(faces), steps=3), "test")
    search = {"candidates": 4, "rungs": [1], "keep": 0.25}
    with opened(small(faces, search=search, base=config)) as found:
        first = found.orders()
        assert {order.until for order in first} == {1}
        assert len(first) == 24
        for number, order in enumerate(first[:-1]):
            do(found, [order], result(0.3 + number / 100))
        # Targets C and I are decided. M and O wait for the last figure of the cohort.
        assert {name.split("-")[0]: until for name, until in untils(found.orders())} == {
            "without_M_O": 1,
            **dict.fromkeys(["without_C_I", "without_C_M", "without_C_O", "without_I_M", "without_I_O"], 3),
        }
        do(found, first[-1:], result(0.9))
        later = found.orders()
        assert {order.until for order in later} == {3}
        assert len(later) == 6  # the base was the best one of all targets
        assert set(names(later)) < set(names(first))
        do(found, later)
        assert not found.orders()
        assert [entry.stopped for entry in found.choose("M").entries] == [None, 1, 1, 1]


def test_checkpoints_of_trainings_that_nobody_wants_any_more_are_deleted(faces: Path):
    config = check(base(str(faces), steps=3), "test")
    with opened(small(faces, search={"candidates": 2, "rungs": [1]}, base=config)) as found:
        first = found.orders()
        runs = {name: open_store(f"{found.shared.url}/trainings/{name}") for name in names(first)}
        for order in first:
            runs[order.config.run.name].write("step-0000001/state.json", b"{}")
            better = order.config.training.learning_rate == config.training.learning_rate
            do(found, [order], result(0.1 if better else 0.2))
        later = found.orders()
        left = {name for name, run in runs.items() if run.exists("step-0000001/state.json")}
        assert left == set(names(later))
    with opened(small(faces, search={"candidates": 2, "rungs": [1]}, base=config)) as found:
        do(found, later)
        assert not found.orders()
        assert not any(run.exists("step-0000001/state.json") for run in runs.values())


def test_a_study_that_has_spent_its_hours_ends_with_a_cohort_for_all_targets(faces: Path):
    changes = {"search": {"candidates": 4, "batch": 1}, "budget": {"hours": 1e-9}}
    with opened(small(faces, **changes)) as found:
        first = found.orders()
        assert len(first) == 6  # the first cohort, and no further one
        do(found, first)
        assert not found.orders()
        assert len(found.choose("M").entries) == 1
        assert "ended by budget.hours" in found.folder.read("choice-to_M.yaml").decode()
    with opened(small(faces, **changes)) as found:
        assert "raise it to go on" in found.notes[0]
    with opened(small(faces, **{**changes, "budget": {"hours": 1}})) as found:
        assert not found.notes
        assert len(found.orders()) == 18


def test_the_hours_left_follow_from_the_trainings_that_were_measured(faces: Path):
    config = check(base(str(faces), steps=100), "test")
    with opened(small(faces, base=config)) as found:
        orders = found.orders()
        assert found.hours_left(2) is None
        do(found, orders[:6], Result(0.3, 0.7, steps=100, seconds=360.0))
        found.orders()
        assert len(orders) == 24
        assert found.hours_left(2) == pytest.approx(18 * 0.1 / 2)


def test_a_failure_that_depends_on_the_machine_holds_for_this_study_alone(faces: Path):
    with opened(small(faces)) as found:
        orders = found.orders()
        name = next(iter(orders[0].figures.values()))
        results.write(found.folder, results.failure(name), Result(None, None, "no memory", results.MEMORY))
        assert name not in [n for order in found.orders() for n in order.figures.values()]
    with opened(small(faces, name="another")) as found:
        assert name in [n for order in found.orders() for n in order.figures.values()]


def test_a_failure_that_was_decided_on_stays_when_another_study_gets_the_figure(faces: Path):
    with opened(small(faces)) as found:
        for order in found.orders():
            for name in order.figures.values():
                failed = order.config.training.learning_rate == found.plan.study.base.training.learning_rate
                if failed:
                    given = Result(None, None, "no memory", results.MEMORY)
                    results.write(found.folder, results.failure(name), given)
                else:
                    results.write(found.shared, name, result(0.3))
        before = found.choose("M")
        assert before.entries[0].kind == results.MEMORY
        for name in found.folder.list("failures"):
            results.write(found.shared, name.removeprefix("failures/"), result(0.1))
    with opened(small(faces)) as found:
        assert not found.orders()
        assert found.choose("M") == before


def test_a_choice_that_does_not_hold_any_longer_is_deleted(faces: Path):
    with opened(small(faces)) as found:
        do(found, found.orders())
        found.deploy([found.choose(target) for target in found.plan.targets])
        assert found.folder.exists("choice-deploy.yaml")
    with opened(small(faces, seeds=[0, 1])) as found:
        do(found, found.orders(), Result(None, None, "NaN", results.DIVERGED))
        with pytest.raises(RunError):
            found.choose("M")
        found.deploy([])
        assert not found.folder.exists("choice-to_M.yaml")
        assert not found.folder.exists("choice-deploy.yaml")
        assert found.folder.exists("choice-to_C.yaml")


def test_a_study_that_has_lost_its_lease_decides_nothing(faces: Path):
    with opened(small(faces)) as found:
        holder = json.loads(found.shared.read("trainings/lease.json"))
        found.shared.write("trainings/lease.json", json.dumps({**holder, "token": "another"}).encode())
        for act in (found.orders, lambda: found.choose("M")):
            with pytest.raises(RunError, match="was taken over"):
                act()


def test_data_that_lacks_what_a_candidate_reads_is_refused_at_the_start(faces: Path):
    space = {"data.image_size": {"choice": [32, 512]}}
    with (
        pytest.raises(DataError, match=r"space.data.image_size: with the value 512, .*; remove it"),
        opened(small(faces, space=space, search={"candidates": 2})),
    ):
        pass


def test_other_code_is_told(faces: Path):
    with opened(small(faces)) as found:
        found.orders()
        state = json.loads(found.folder.read("state.json"))
        found.folder.write("state.json", json.dumps({**state, "code": "0.0.1+old torch 1"}).encode())
    with opened(small(faces)) as found:
        assert "other code before (0.0.1+old, now" in found.notes[0]


def test_a_store_that_cannot_be_reached_is_not_called_damaged(faces: Path, monkeypatch: pytest.MonkeyPatch):
    with opened(small(faces)) as found:
        pass

    def fail(*_: object) -> bytes:
        raise StorageError("the store does not answer", "try again")

    monkeypatch.setattr(type(found.folder), "read", fail)
    with pytest.raises(StorageError, match="does not answer"):
        look(found.folder.url)


def test_a_study_can_be_looked_at_while_it_runs(faces: Path):
    with opened(small(faces)) as found:
        do(found, found.orders()[:12])
        found.orders()
        seen = look(found.folder.url)
        assert seen.view("M") == found.view("M")
        assert seen.plan.study == found.plan.study
    with pytest.raises(RunError, match="there is no study at"):
        look(str(faces))


def test_more_candidates_seeds_and_targets_may_be_asked_for_later(faces: Path):
    with opened(small(faces, targets=["M"])):
        pass
    with opened(small(faces, search={"candidates": 6}, seeds=[0, 1])) as found:
        assert len(found.orders()) == 6 * 2 * 6
