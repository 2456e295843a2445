"""The regret of a choice: which trainings it needs, what is compared, and that fresh seeds do not flatter."""

from __future__ import annotations

import random
from collections.abc import Callable
from statistics import mean

import pytest
from scipy.stats import t

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.tuning import regret
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.regret import Case, Difference
from rfmeta_dist.tuning.results import DIVERGED, Result
from rfmeta_dist.tuning.view import View
from tests.tuning.studies import World, result, study

FAILED = Result(None, None, "not finite", DIVERGED)


def case(candidates: int = 4, chosen: int = 1, metric: str = "hter", fresh: int = 3) -> Case:
    made = tuple(Candidate(number, {"x": number}) for number in range(candidates))
    return Case("M", made, made[chosen], (0, 1), tuple(range(3, 3 + fresh)), metric)


def figures(value: Callable[[int, int], float | Result | None]) -> regret.Lookup:
    """Return figures by the number of a candidate and a seed."""

    def lookup(target: str, candidate: Candidate, seed: int) -> Result | None:
        found = value(candidate.number, seed)
        return result(found) if isinstance(found, float) else found

    return lookup


def numbers(trainings: list[regret.Training]) -> list[tuple[int, int]]:
    return [(candidate.number, seed) for candidate, seed in trainings]


def test_the_oracle_is_found_on_the_seeds_of_the_search_and_judged_on_others():
    searched = {0: 0.4, 1: 0.3, 2: 0.1, 3: 0.2}
    fresh = {0: [0.5, 0.4, 0.6], 1: [0.35, 0.3, 0.4], 2: [0.25, 0.25, 0.25]}
    lookup = figures(lambda n, seed: searched[n] if seed < 3 else fresh[n][seed - 3])
    given = case()
    oracle = given.oracle(lookup)
    assert oracle is not None
    assert oracle.number == 2
    worse = given.worse(given.chosen, oracle, lookup)
    assert worse is not None
    assert worse.by_seed == pytest.approx((0.1, 0.05, 0.15))
    assert (worse.mean, worse.std) == pytest.approx((0.1, 0.05))
    half = t.ppf(0.975, 2) * 0.05 / 3**0.5
    assert worse.interval == pytest.approx((0.1 - half, 0.1 + half))
    better = given.worse(given.chosen, given.base, lookup)
    assert better is not None
    assert better.mean == pytest.approx(-0.15)  # better than the base
    assert given.at_most(lookup) == pytest.approx(0.35 - 0.1)


def test_of_an_auc_the_highest_is_the_best_and_a_lower_one_is_worse():
    lookup = figures(lambda n, seed: n / 10 if seed < 3 else [0.4, 0.3, 0.2, 0.1][n])  # AUC is 1 − HTER
    given = case(metric="auc", chosen=1)
    oracle = given.oracle(lookup)
    assert oracle is given.base
    worse = given.worse(given.chosen, oracle, lookup)
    assert worse is not None
    assert worse.mean == pytest.approx(
        -0.1
    )  # the AUC of the choice is 0.7 on fresh seeds, that of the oracle 0.6


def test_every_candidate_is_trained_first_and_fresh_seeds_follow():
    given, known = case(), {}
    lookup = figures(lambda n, seed: known.get((n, seed)))
    wanted = numbers(given.wanted(lookup))
    assert wanted[:8] == [(n, seed) for n in range(4) for seed in (0, 1)]
    assert sorted(wanted[8:]) == [
        (n, seed) for n in (0, 1) for seed in (3, 4, 5)
    ]  # the oracle is not known yet
    known |= dict.fromkeys(wanted[:8], 0.3) | {(3, 0): 0.1}
    assert sorted(numbers(given.wanted(lookup))) == [(n, seed) for n in (0, 1, 3) for seed in (3, 4, 5)]
    known |= {(n, seed): 0.2 for n in (0, 1, 3) for seed in (3, 4, 5)}
    assert given.wanted(lookup) == []
    assert len(known) == regret.trainings([given])


def test_a_choice_that_is_the_oracle_has_no_regret_and_is_trained_once():
    given = case(candidates=1, chosen=0)
    lookup = figures(lambda n, seed: random.Random(seed).random())
    assert regret.trainings([given]) == 2 + 3
    worse = given.worse(given.chosen, given.oracle(lookup), lookup)
    assert worse is not None
    assert (worse.mean, worse.interval) == (0, (0, 0))


def test_of_equal_candidates_the_first_is_the_oracle():
    oracle = case().oracle(figures(lambda n, seed: 0.2 if n in (1, 3) else 0.3))
    assert oracle is not None
    assert oracle.number == 1


def test_a_candidate_that_fails_with_one_seed_is_no_oracle():
    lookup = figures(lambda n, seed: FAILED if (n, seed) == (2, 1) else [0.4, 0.3, 0.0, 0.2][n])
    oracle = case().oracle(lookup)
    assert oracle is not None
    assert oracle.number == 3
    assert case().oracle(figures(lambda n, seed: FAILED)) is None


def test_a_choice_that_fails_with_a_fresh_seed_is_not_flattered_by_the_others():
    given = case()
    lookup = figures(lambda n, seed: FAILED if (n, seed) == (1, 4) else 0.3)
    assert given.worse(given.chosen, given.base, lookup) is None
    assert given.at_most(lookup) is None
    known = Difference((0.1, 0.2))
    assert regret.over_targets([known, None]) is None


def test_the_mean_over_targets_has_the_spread_of_seeds():
    together = regret.over_targets([Difference((0.1, 0.2)), Difference((0.3, 0.2))])
    assert together is not None
    assert together.by_seed == pytest.approx((0.2, 0.2))


def test_a_comparison_without_all_figures_is_refused():
    with pytest.raises(LookupError, match="candidate 0 with seed 0 is missing for M"):
        case().oracle(figures(lambda n, seed: None))


def test_fresh_seeds_are_neither_those_of_the_search_nor_that_of_the_choice_file():
    assert regret.fresh_seeds(study(seeds=[0, 2, 3]), 3) == (4, 5, 6)  # choice files have seed 1


def test_what_is_compared_follows_from_the_end_of_a_search():
    world = World(study(search={"candidates": 4}), lambda values, *_: result(0.2 if values == "{}" else 0.3))
    world.run()
    found = regret.case(world.study, world.view("M"), 3)
    assert [candidate.number for candidate in found.candidates] == [0, 1, 2, 3]
    assert found.chosen is found.base
    with pytest.raises(RunError, match="target M was stopped"):
        regret.case(world.study, View("M", (), (), "its first candidates failed"), 3)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30, 999])
def test_quantiles_of_students_distribution(degrees: int):
    assert regret.t_quantile(degrees) == pytest.approx(t.ppf(0.975, degrees), rel=1e-9)


def simulated(studies: int, candidates: int = 16) -> tuple[float, ...]:
    """Return means over studies: of three estimates of the regret, and of the two true ones.

    A candidate's true figure on the target differs from that on the folds, by which the choice is made, and
    the figure of a training differs from its true one by its seed. The estimates are the one by fresh seeds,
    the one on the seed of the search, and the upper bound. The true regrets are those against the oracle and
    against the very best candidate.
    """
    rng = random.Random(18)
    rows = []
    for _ in range(studies):
        true = [0.25 + rng.gauss(0, 0.03) for _ in range(candidates)]
        by_folds = [value + rng.gauss(0, 0.06) for value in true]
        made = {(n, seed): true[n] + rng.gauss(0, 0.02) for n in range(candidates) for seed in (0, 2, 3, 4)}
        proposed = tuple(Candidate(n, {}) for n in range(candidates))
        chosen = proposed[by_folds.index(min(by_folds))]
        given = Case("M", proposed, chosen, (0,), (2, 3, 4), "hter")
        lookup = figures(lambda n, seed, made=made: made[n, seed])
        oracle, at_most = given.oracle(lookup), given.at_most(lookup)
        worse = given.worse(chosen, oracle, lookup)
        assert oracle is not None
        assert worse is not None
        assert at_most is not None
        naive = made[chosen.number, 0] - made[oracle.number, 0]
        at = true[chosen.number]
        rows.append((worse.mean, naive, at_most, at - true[oracle.number], at - min(true)))
    return tuple(map(mean, zip(*rows, strict=True)))


def test_fresh_seeds_give_the_regret_where_the_seed_of_the_search_doubles_it():
    fresh, naive, at_most, against_oracle, against_best = simulated(3000)
    error = 0.001  # three standard errors of the simulation
    assert fresh == pytest.approx(against_oracle, abs=error)
    assert naive > 1.8 * against_oracle
    assert naive > against_best + 5 * error  # too large for the very best candidate as well
    assert fresh + error < against_best < at_most - error  # what is said of the very best candidate holds


def test_intervals_cover_the_true_difference_as_often_as_they_say():
    rng = random.Random(7)
    covered = 0
    for _ in range(4000):
        low, high = Difference(tuple(rng.gauss(0.01, 0.03) for _ in range(3))).interval
        covered += low <= 0.01 <= high
    assert covered / 4000 == pytest.approx(0.95, abs=0.011)  # three standard errors
