"""What a target decides follows from its own figures: not from other targets', and not from what came first."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.load import check
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import folds, halving, view
from rfmeta_dist.tuning.cohorts import Proposals
from rfmeta_dist.tuning.results import DIVERGED, Result
from rfmeta_dist.tuning.view import Entry, Views
from tests.tuning.studies import World, base, result, study

SEARCHES: list[dict[str, Any]] = [
    {"kind": "sobol", "candidates": 6, "batch": 3},
    {"kind": "sobol", "candidates": 7, "batch": 3, "rungs": [1]},
    {"kind": "random", "candidates": 8, "batch": 4, "rungs": [1, 2], "keep": 0.6},
    {"kind": "tpe", "candidates": 6, "startup": 2, "batch": 2, "rungs": [1]},
]
STEPS = 4
Value = Callable[..., Result]


def small(search: Mapping[str, Any], **changes: Any) -> Study:
    return _small(json.dumps(search), json.dumps(changes))


@cache
def _small(search: str, changes: str) -> Study:
    return study(base=check(base(steps=STEPS), "test"), search=json.loads(search), **json.loads(changes))


def chance(*what: Any) -> float:
    """A figure out of a few, so that there are ties, which depends on nothing but `what`."""
    return random.Random(repr(what)).randrange(12) / 20


def world_of(world: int, poison: int | None = None, target: str = "M") -> Value:
    """Made-up figures; one in twenty fails. With `poison`, all that the target's data touches are others."""

    def value(values: str, seed: int, without: tuple[str, ...], judged: str, step: int) -> Result:
        touched = target not in without or judged == target
        salt = poison if touched and poison is not None else world
        if random.Random(repr(("fails", salt, values, seed, without))).random() < 0.05:
            return Result(None, None, "not finite", DIVERGED)
        return result(chance(salt, values, seed, without, judged, step))

    return value


def traces(search: Mapping[str, Any], value: Value, order: int = 0, lanes: int = 2, **changes: Any) -> dict:
    """Train a study to its end, with trainings that end in an order of their own."""
    found = World(small(search, **changes), value)
    rng = random.Random(order)
    found.run(rng.randrange, lanes)
    return found.traces()


@pytest.mark.parametrize("search", SEARCHES)
@settings(max_examples=8)
@given(world=st.integers(0, 10**6), order=st.integers(0, 10**6), lanes=st.integers(1, 9))
def test_neither_the_order_of_arrival_nor_the_number_of_lanes_changes_a_decision(
    search: dict[str, Any], world: int, order: int, lanes: int
):
    assert traces(search, world_of(world), order, lanes) == traces(search, world_of(world))


@pytest.mark.parametrize("search", SEARCHES)
@settings(max_examples=8)
@given(world=st.integers(0, 10**6), poison=st.integers(0, 10**6), order=st.integers(0, 10**6))
def test_figures_that_the_target_touches_change_nothing_of_its_trace(
    search: dict[str, Any], world: int, poison: int, order: int
):
    joint = traces(search, world_of(world))["M"]
    assert traces(search, world_of(world, poison), order)["M"] == joint
    assert traces(search, world_of(world), order, targets=["M"]) == {"M": joint}


HALVING, TPE = SEARCHES[1], SEARCHES[3]


def leaks(search: dict[str, Any]) -> bool:
    """Whether M's trace depends on what M touches, or on the order of arrival, in one of some worlds."""
    for number in range(8):
        clean = traces(search, world_of(number))["M"]
        if traces(search, world_of(number, number + 1000), number, 3)["M"] != clean:
            return True
    return False


@pytest.mark.parametrize("search", [HALVING, TPE])
def test_nothing_leaks_when_nothing_is_planted(search: dict[str, Any]):
    assert not leaks(search)


def mean_over_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A candidate's folds for a target are those of all targets."""
    monkeypatch.setattr(folds, "of_target", lambda given, target: given.domains)
    true = folds.left_out
    others = {"C": "I", "I": "M", "M": "O", "O": "C"}
    monkeypatch.setattr(
        folds, "left_out", lambda target, fold: true(others[fold] if fold == target else target, fold)
    )


def another_target_s_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    true = Views.of
    monkeypatch.setattr(
        Views,
        "of",
        lambda self, target, lookup, cohorts=None: true(self, "O" if target == "M" else target, lookup),
    )


def stops_shared_between_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decides a rung first decides it for all."""
    true = Views._decide

    def decide(self: Views, entries: dict[int, Entry], going: set[int], rung: int) -> set[int]:
        mine = true(self, entries, going, rung)
        return self.__dict__.setdefault("decided", {}).setdefault((*sorted(entries), rung), mine)

    monkeypatch.setattr(Views, "_decide", decide)


def decided_by_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once two candidates of a cohort have come to a rung, it does not wait for the others."""
    true = Views._at

    def at(self: Views, entries: dict[int, Entry], target: str, candidate: Any, rung: int, lookup: Any) -> list:
        missing = list(true(self, entries, target, candidate, rung, lookup))
        here = sum(len(entry.rungs) > rung for entry in entries.values())
        if missing and here >= 2 and rung == 0:
            entries[candidate.number] = Entry(
                candidate, entries[candidate.number].cohort, stopped=1, failed="late"
            )
            return []
        return missing

    monkeypatch.setattr(Views, "_at", at)


def a_figure_that_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped candidate whose last figure is there, because another target went on, counts as complete."""
    true = Views._cohort

    def cohort(self: Views, target: str, number: int, members: Any, lookup: Any) -> Any:
        found = true(self, target, number, members, lookup)
        for index, entry in enumerate(found.entries):
            late = [
                lookup(folds.Figure(entry.candidate, 0, fold, STEPS))
                for fold in folds.of_target(self._study, target)
            ]
            if entry.stopped and any(late):
                found.entries[index] = view.replace(entry, value=0.0)
        return found

    monkeypatch.setattr(Views, "_cohort", cohort)


def told_of_another_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search proposes M's candidates from what O knows."""
    true = Proposals.cohort

    def cohort(self: Proposals, target: str, number: int, told: Any) -> Any:
        known = self.__dict__.setdefault("told", {})
        known[target, number] = told
        return true(self, target, number, known.get(("O", number), told) if target == "M" else told)

    monkeypatch.setattr(Proposals, "cohort", cohort)


@pytest.mark.parametrize(
    ("plant", "search"),
    [
        (mean_over_targets, HALVING),
        (another_target_s_folds, HALVING),
        (stops_shared_between_targets, HALVING),
        (decided_by_arrival, HALVING),
        (a_figure_that_was_not_asked_for, HALVING),
        (told_of_another_target, TPE),
    ],
)
def test_a_planted_leak_is_noticed(
    plant: Callable[[Any], None], search: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    plant(monkeypatch)
    assert leaks(search)


def test_the_better_half_and_the_base_train_on():
    level = {0: 0.9, 1: 0.2, 2: 0.1, 3: 0.3, 4: 0.15, 5: 0.4}
    given = small({"candidates": 6, "batch": 6, "rungs": [1, 2]})
    found = World(given, lambda *_: result(0.5))
    numbers = {World.key_of(c): c.number for c in found.plan.shared}
    found.value = lambda values, seed, without, judged, step: result(level[numbers[values]] / step)
    found.run()
    entries = found.view("C").entries
    assert [entry.stopped for entry in entries] == [None, 2, None, 1, None, 1]
    assert [entry.value is not None for entry in entries] == [True, False, True, False, True, False]
    assert [list(entry.rungs) for entry in entries] == [[1, 2, 4], [1, 2], [1, 2, 4], [1], [1, 2, 4], [1]]
    per_rung = [sum(key[4] == step for key in found.known) for step in (1, 2, 4)]
    assert per_rung == [6 * 12, 4 * 12, 3 * 12]


@given(
    st.dictionaries(st.integers(0, 20), st.one_of(st.none(), st.sampled_from([0.1, 0.2, 0.3])), min_size=1),
    st.floats(0.1, 0.9),
    st.booleans(),
)
def test_survivors_are_never_worse_than_those_who_stop(scores, keep, lowest):
    going = halving.survivors(scores, keep, lowest=lowest)
    assert all(scores[number] is not None for number in going)
    alive = {number: score for number, score in scores.items() if score is not None and number != 0}
    sign = 1 if lowest else -1
    on, off = [n for n in alive if n in going], [n for n in alive if n not in going]
    assert all((sign * alive[a], a) < (sign * alive[b], b) for a in on for b in off)
    assert not off or len(going | {0}) >= keep * len(scores)
    assert scores.get(0) is None or 0 in going


def test_source_validation_judges_a_target_s_candidates_on_its_sources_alone():
    given = small({"candidates": 3, "batch": 3, "rungs": [1]}, selection="source_validation")
    found = World(given, lambda *key: result(chance(*key)))
    found.run()
    assert {key[2] for key in found.known} == {("C",), ("I",), ("M",), ("O",)}
    assert {key[3] for key in found.known} == {"(sources)"}
    assert all(list(entry.folds) == ["(sources)"] for entry in found.view("M").entries)
