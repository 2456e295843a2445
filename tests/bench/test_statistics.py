"""Paired statistics on constructed data, where the truth is known."""

import numpy as np
import pytest

from bench.study import statistics
from bench.study.collect import compare_all
from bench.study.design import DOMAINS, Arm, Grid
from bench.study.statistics import Run, compare, draw, mean, wilcoxon
from rfmeta_dist.core.errors import DataError
from tests.studies import invented

R = 400


def a_run(method, target, seed, value, noise=None) -> Run:
    draws = np.full(R, value) if noise is None else value + noise
    values = dict.fromkeys(statistics.FIGURES, value)
    return Run(Arm(0.5, "named", method), target, seed, values, {"AUC": draws, "HTER": draws})


def study(effect, spread, rng, seeds=3) -> tuple[list[Run], list[Run]]:
    """Runs of two rules; people's luck is shared by a target's runs, a run's own luck is not."""
    one, two = [], []
    for target in DOMAINS:
        people = rng.normal(0, 0.05, R)
        for seed in range(seeds):
            base = 0.7 + rng.normal(0, 0.1)
            one.append(a_run("no_meta", target, seed, base, people))
            two.append(a_run("rfmeta", target, seed, base + effect + rng.normal(0, spread), people))
    return one, two


def test_an_effect_that_every_pair_shows_is_found_although_runs_differ_more_than_it():
    one, two = study(0.03, 0.01, np.random.default_rng(0))
    c = compare(two, one, "AUC")
    assert c.difference.value == pytest.approx(0.03, abs=0.01)
    assert 0 < c.difference.low < c.difference.value < c.difference.high
    assert (c.pairs, c.above) == (12, 12)
    assert c.p == pytest.approx(2 / 2**12)
    # Unpaired, each interval is far wider than the effect.
    assert mean(one, "AUC").high > mean(two, "AUC").low


def test_noise_alone_is_seldom_called_significant():
    rng, found = np.random.default_rng(1), 0
    for _ in range(200):
        one, two = study(0.0, 0.02, rng)
        c = compare(two, one, "AUC")
        found += c.p < statistics.LEVEL and not c.difference.low <= 0 <= c.difference.high
    assert found <= 20  # 10 expected at most


def test_a_difference_needs_both_and_comes_from_the_same_target_and_seed():
    one = [a_run("no_meta", "O", 0, 0.6), a_run("no_meta", "C", 0, 0.9), a_run("no_meta", "C", 1, 0.1)]
    two = [a_run("rfmeta", "C", 0, 0.8), a_run("rfmeta", "O", 0, 0.7), a_run("rfmeta", "M", 0, 0.0)]
    c = compare(two, one, "AUC")
    assert (c.pairs, c.above) == (2, 1)
    assert c.difference.value == pytest.approx(0.0)
    assert compare(two[2:], one, "AUC") is None


def test_every_target_counts_alike_however_many_seeds_it_has():
    runs = [a_run("plain", "O", seed, 0.5) for seed in range(3)] + [a_run("plain", "C", 0, 0.9)]
    assert mean(runs, "AUC").value == pytest.approx(0.7)


def test_seeds_widen_the_interval():
    same = [a_run("plain", "O", seed, 0.7) for seed in range(3)]
    apart = [a_run("plain", "O", seed, 0.6 + 0.1 * seed) for seed in range(3)]
    assert mean(same, "AUC").low == mean(same, "AUC").high
    assert mean(apart, "AUC").low < 0.65
    assert mean(apart, "AUC").high > 0.75


def test_all_runs_on_a_target_draw_the_same_people():
    """Another network, thus other scores and even more thresholds: in each resample the same people come up."""
    coarse = invented("M", 2.0, seed=0, people=1200)
    rng = np.random.default_rng(2)
    fine = statistics.Scores(**{**coarse.columns(), "score": np.round(coarse.score, 2)})
    # Every tie of `fine` is broken within the group of its class, so pairs of classes stay as they were.
    shift = np.where(fine.label == 1, rng.uniform(1e-6, 2e-6, len(fine)), rng.uniform(0, 1e-7, len(fine)))
    broken = statistics.Scores(**{**fine.columns(), "score": np.clip(fine.score + shift, 0, 1)})
    ties = statistics.Scores(**{**fine.columns(), "score": np.clip(fine.score + 1e-6 * fine.label, 0, 1)})
    (_, one), (_, two) = draw(broken, 0.5, resamples=2000), draw(ties, 0.5, resamples=2000)
    assert len(np.unique(broken.score)) > 3000  # so that they are resampled in chunks of another size
    assert len(np.unique(ties.score)) < 300
    np.testing.assert_allclose(one["AUC"], two["AUC"], atol=1e-12)
    assert np.std(one["AUC"]) > 0.001


def test_resamples_of_two_targets_are_not_the_same_people():
    one, two = invented("O", 1.0, 0), invented("O", 1.0, 0)
    two = statistics.Scores(**{**two.columns(), "domain": np.full(len(two), "C")})
    assert not np.array_equal(draw(one, 0.5)[1]["AUC"], draw(two, 0.5)[1]["AUC"])


def test_people_without_both_classes_cannot_be_paired():
    scores = invented("M", 1.0, 0, people=3)
    half = scores.select((scores.label == 1) == (scores.subject == "M_0"))
    with pytest.raises(DataError, match="lack a class"):
        draw(half, 0.5)


def test_wilcoxon_of_equal_runs_and_of_few():
    assert wilcoxon(np.zeros(5)) == 1.0
    assert wilcoxon(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.25)  # three pairs can never be significant


def test_a_study_corrects_over_all_its_comparisons_and_counts_none_twice():
    rng = np.random.default_rng(3)
    runs = [
        Run(
            Arm(rho, "named", method),
            target,
            seed,
            dict.fromkeys(statistics.FIGURES, v),
            dict.fromkeys(statistics.FIGURES, d),
        )
        for rho in (0.0, 0.5, 0.9)
        for method, effect in (("plain", 0.0), ("no_meta", 0.0), ("first_order", 0.0), ("rfmeta", 0.2))
        for target in DOMAINS
        for seed in range(3)
        for v in [0.6 + effect + rng.normal(0, 0.01)]
        for d in [np.full(R, v)]
    ]
    grid = Grid(rhos=(0.0, 0.5, 0.9), methods=("plain", "no_meta", "first_order", "rfmeta"))
    found = [c for c in compare_all(grid, runs) if c.figure == "AUC"]
    assert len({frozenset((c.arm, c.baseline)) for c in found}) == len(found) == 3 * 5
    assert {c.arm.method for c in found if c.significant} == {"rfmeta"}
    assert len([c for c in found if c.significant]) == 6
    smallest = min(c.p for c in found)
    assert min(c.holm for c in found) == pytest.approx(15 * smallest)
