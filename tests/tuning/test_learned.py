"""Searches that learn are pure functions of what a target knows, and propose possible, new configurations."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import learned, translate
from rfmeta_dist.tuning.proposals import Candidate, Told
from rfmeta_dist.tuning.space import active, apply
from tests.tuning.test_proposals import FIELDS, SPACES, candidates, of, study

WEIGHT, RATE = "method.depth_weight", "method.inner_learning_rate"
FLAT = {name: FIELDS[name] for name in FIELDS if name != "training.clip"}  # without conditions, as gp needs
KINDS = ["tpe", "gp"]
SEEDS = st.integers(0, 1000)
# What becomes of a candidate: it comes to its end, is stopped at a rung, fails, or fails after a rung.
FATES = st.lists(st.sampled_from("ccccssfr"), min_size=40, max_size=40)


def small(kind: str = "tpe", space: dict[str, Any] | None = None, **search: Any) -> Study:
    given = {"startup": 4, "batch": 4, "candidates": 40, **search}
    return study(space or (FLAT if kind == "gp" else FIELDS), kind=kind, **given)


def score(candidate: Candidate) -> float:
    rate, weight = candidate.values.get(RATE, 1e-3), candidate.values.get(WEIGHT, 10.0)
    return abs(math.log10(rate) + 2) / 4 + abs(math.log10(weight) - 1) / 10


def told(candidate: Candidate, fate: str = "c") -> Told:
    value = score(candidate)
    rungs = {} if fate == "f" else {5: value + 0.1}
    return Told(candidate, value if fate == "c" else None, rungs, failed=fate in "fr")


def history(of_study: Study, cohorts: int, fates: Any = "c" * 40, target: str = "O") -> list[Told]:
    """What a target knows after so many cohorts."""
    found: list[Told] = []
    for _ in range(cohorts):
        new = learned.propose(of_study, target, found, of_study.search.batch)
        found += [told(candidate, fates[candidate.number]) for candidate in new]
    return found


def text(proposed: list[Candidate]) -> str:
    return json.dumps([[c.number, dict(c.values)] for c in proposed])


FATE = "ccsfcrcsccsf" + "c" * 28


@pytest.mark.parametrize("kind", KINDS)
def test_another_process_proposes_the_same_bytes(kind):
    code = (
        f"from tests.tuning.test_learned import *; print(text([t.candidate for t in history(small({kind!r}), "
        "3, FATE)]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    here = history(small(kind), 3, FATE)
    assert ended.stdout == text([t.candidate for t in here]) + "\n"
    assert ended.stderr == ""  # neither messages nor warnings of Optuna's
    assert [t.candidate.number for t in here] == list(range(12))


@pytest.mark.parametrize("kind", KINDS)
def test_a_search_that_goes_on_after_any_candidate_proposes_the_same(kind):
    whole = history(small(kind), 3, FATE)  # the first cohort is the start-up
    for cohort in range(1, 3):
        before = whole[: 4 * cohort]
        rest = [t.candidate for t in whole[4 * cohort : 4 * cohort + 4]]
        for begun in range(
            4
        ):  # these are being trained already, and the others of the cohort are asked for again
            pending = [Told(candidate, None, {}, failed=False) for candidate in rest[:begun]]
            again = learned.propose(small(kind), "O", [*before, *pending], 4 - begun)
            assert text(again) == text(rest[begun:])


@pytest.mark.parametrize("kind", KINDS)
def test_proposals_depend_on_scores_seed_and_target_after_the_start_up(kind):
    known = history(small(kind), 2)
    here = learned.propose(small(kind), "O", known, 4)
    elsewhere = [Told(t.candidate, 1 - (t.value or 0), t.rungs, failed=False) for t in known]
    others = [
        learned.propose(small(kind), "O", elsewhere, 4),
        learned.propose(small(kind), "C", known, 4),
        learned.propose(small(kind, seed=1), "O", known, 4),
    ]
    assert all(text(here) != text(other) for other in others)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("asked", "points", "shared"), [(4, 0, 4), (5, 0, 8), (1, 0, 4), (4, 5, 8)])
def test_all_targets_share_the_start_up_of_whole_cohorts(kind, asked, points, shared):
    own = [
        {WEIGHT: float(weight), RATE: 0.01 * (i + 1)} for i, weight in enumerate([1, 1, 10, 100, 100][:points])
    ]
    search = small(kind, startup=asked, points=own)
    spread = candidates(study(dict(search.space), kind="sobol", points=own, candidates=shared))
    assert candidates(search) == spread
    for target in "OC":
        found = learned.propose(search, target, [], shared + 2)
        assert found[:shared] == spread
        assert found[0] == Candidate(0, {})
        assert [dict(c.values) for c in found[1 : 1 + points]] == own
    assert found[shared:] != learned.propose(search, "O", [], shared + 2)[shared:]


@given(SPACES, SEEDS, FATES, st.randoms())
@settings(max_examples=15, deadline=None)
def test_proposals_are_new_configurations_of_the_space(names, seed, fates, shuffler):
    given = small(space=of(names), seed=seed)
    known = history(given, 3, fates)
    configurations = [apply(given.base, t.candidate.values) for t in known]
    assert all(a != b for i, a in enumerate(configurations) for b in configurations[:i])
    assert [t.candidate.number for t in known] == list(range(len(known)))
    for t in known[1:]:
        values = t.candidate.values
        assert values == active(given.space, {**dict.fromkeys(given.space), **values})  # no field is inactive
        assert ("training.clip" in values) == ("training.clip" in names and values["method.inner_steps"] == 2)
        for name, value in values.items():
            assert given.space[name].contains(value)
            assert not given.space[name].continuous or value == float(f"{value:.6g}")
    shuffler.shuffle(names)  # the order of fields in the file changes nothing
    assert history(small(space=of(names), seed=seed), 3, fates) == known


@given(SPACES, SEEDS, FATES)
@settings(max_examples=15, deadline=None)
def test_optuna_is_told_each_candidate_without_loss(names, seed, fates):
    given = small(space=of(names), seed=seed)
    known = history(given, 3, fates)
    distributions = {name: translate.distribution(d) for name, d in given.space.items()}
    trials = list(learned._trials(given, known, distributions))
    assert len(trials) == len(known)  # the base lies in the space too
    for t, trial in zip(known[1:], trials[1:], strict=True):
        back = {name: translate.from_optuna(given.space[name], value) for name, value in trial.params.items()}
        assert back == t.candidate.values
        assert {name: type(v) for name, v in back.items()} == {
            n: type(v) for n, v in t.candidate.values.items()
        }
        assert trial.value == t.value
        assert trial.intermediate_values == ({} if t.failed else t.rungs)
        assert (trial.state.name == "COMPLETE") == (t.value is not None)


def test_choices_of_any_type_come_back_as_they_are():
    space = {
        "data.augmentation": {"choice": [None, {"flip": 0.5}]},
        "training.bf16_reduce": {"choice": [True, False]},
    }
    known = history(small(space=space), 1)
    assert [dict(t.candidate.values) for t in known[1:]]
    for t in known[1:]:
        assert t.candidate.values["data.augmentation"] in (None, {"flip": 0.5})
        assert isinstance(t.candidate.values["training.bf16_reduce"], bool)
    assert not learned.propose(small(space=space), "O", known, 4)  # four configurations, and all are proposed


def test_a_base_outside_the_space_is_tried_but_not_told():
    space = {WEIGHT: {"uniform": [20, 30]}}
    given = small(space=space)
    distributions = {WEIGHT: translate.distribution(given.space[WEIGHT])}
    assert len(list(learned._trials(given, history(given, 2), distributions))) == 7


@pytest.mark.parametrize("kind", KINDS)
def test_a_space_with_few_points_ends(kind):
    few = small(
        kind, {"method.schedule": {"choice": ["uniform", "balanced"]}, "method.inner_steps": {"int": [1, 3]}}
    )
    known = history(few, 3)
    assert len(known) == 6  # the base is one of the points
    assert len({json.dumps(dict(t.candidate.values), sort_keys=True) for t in known}) == 6


def searched(kind: str, seed: int, count: int = 40, fails_above: float = math.inf) -> tuple[float, int]:
    """Return the lowest value that some candidates find on a quadratic, and how many candidates failed."""
    space = {RATE: {"uniform": [0, 1]}, WEIGHT: {"uniform": [0, 1]}, "training.clip": {"uniform": [0.01, 1]}}
    given = study(space, kind=kind, seed=seed, candidates=count, startup=8, batch=4)
    known: list[Told] = []
    values = []
    while len(known) < count:
        new = learned.propose(given, "O", known, 4) if given.search.learns else candidates(given)[len(known) :]
        for candidate in new:
            at = [candidate.values.get(name, 0.0) for name in space]
            value = sum((x - y) ** 2 for x, y in zip(at, (0.7, 0.3, 0.5), strict=True))
            failed = at[0] > fails_above
            values += [] if failed else [value]
            known.append(Told(candidate, None if failed else value, {}, failed=failed))
    return min(values), sum(t.failed for t in known)


def test_tpe_finds_better_values_than_random_search():
    random, tpe = ([searched(kind, seed)[0] for seed in range(20)] for kind in ("random", "tpe"))
    assert statistics.median(tpe) < statistics.median(random) / 2


def test_the_highest_auc_is_sought_as_the_lowest_hter_is():
    hter = small()
    auc = hter.model_copy(update={"metric": "auc"})
    known = history(hter, 3, FATE)
    turned = [
        Told(t.candidate, None if t.value is None else -t.value, {s: -v for s, v in t.rungs.items()}, t.failed)
        for t in known
    ]
    assert text(learned.propose(auc, "O", turned, 4)) == text(learned.propose(hter, "O", known, 4))
    assert text(learned.propose(auc, "O", known, 4)) != text(learned.propose(hter, "O", known, 4))


def test_gp_finds_better_values_than_random_search():
    random, gp = ([searched(kind, seed, 24)[0] for seed in range(2)] for kind in ("random", "gp"))
    assert statistics.median(gp) < statistics.median(random) / 5


def test_a_place_where_candidates_fail_is_not_proposed_again_and_again():
    # The best values lie where training fails. A sampler that is not told of failures proposes more than half
    # of the candidates there; of uniformly drawn ones, four in ten fail.
    fails = [searched("tpe", seed, fails_above=0.6)[1] for seed in range(10)]
    assert statistics.mean(fails) < 0.4 * 40
    assert searched("gp", 0, 24, fails_above=0.6)[1] < 0.4 * 24


def test_optuna_s_settings_are_left_as_they_were():
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history(small(), 2)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
