"""The paired test: what subjects contribute, its error, its size, and words that agree with its interval."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import comparison
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation import bootstrap, paired
from rfmeta_dist.evaluation.decisions import decide, holm
from rfmeta_dist.evaluation.paired import FIGURES, Estimate, Run, compare, judged, pairs
from rfmeta_dist.evaluation.scores import Scores


def people(seed: int = 0, count: int = 12, noise: float = 1.0) -> Scores:
    """Videos of people with unequal numbers of recordings, whose own deviation all their scores share."""
    rng = np.random.default_rng(seed)
    luck = np.random.default_rng(99).normal(0, 0.7, count)
    rows = []
    for person in range(count):
        for kind, number in (("live", 1 + person % 3), ("print", 2), ("replay", 1 + person % 2)):
            for take in range(number):
                video = f"p{person:02d}-{kind}-{take}"
                score = (0.8 if kind == "live" else -0.8) + luck[person] + rng.normal(0, noise)
                score = round(score, 1)  # so that scores tie
                rows.append(
                    (f"M-{video}", "M", "test", f"p{person:02d}", video, kind, int(kind == "live"), score)
                )
    return Scores(*map(np.array, zip(*rows, strict=True)))


def weighted(scores: Scores, weight: np.ndarray, threshold: float, worst: str) -> dict[str, float]:
    """Return the figures if each subject counts as often as `weight` says, from their definitions."""
    names = sorted(set(scores.subject.tolist()))
    w = np.array([weight[names.index(name)] for name in scores.subject])
    live, attack, kind = scores.label == 1, scores.label == 0, scores.attack_type == worst
    taken = scores.score >= threshold
    bpcer = float((w * ~taken)[live].sum() / w[live].sum())
    far = float((w * taken)[attack].sum() / w[attack].sum())
    apcer = float((w * taken)[kind].sum() / w[kind].sum())
    one, two = scores.score[live][:, None], scores.score[attack]
    wins = (one > two) + 0.5 * (one == two)
    auc = float(w[live] @ wins @ w[attack] / (w[live].sum() * w[attack].sum()))
    return {
        "HTER": (far + bpcer) / 2,
        "AUC": auc,
        "ACER": (apcer + bpcer) / 2,
        "FAR": far,
        "BPCER": bpcer,
        "APCER_worst": apcer,
    }


def test_influence_values_are_the_derivatives_of_the_figures_by_a_subjects_weight():
    scores, threshold, step = people(), 0.3, 1e-6
    run = judged(scores, threshold, "M", 0)
    rates = {k: (scores.score[scores.attack_type == k] >= threshold).mean() for k in ("print", "replay")}
    worst = max(rates, key=lambda kind: rates[kind])
    for subject in range(12):
        weight = np.ones(12)
        weight[subject] += step
        more = weighted(scores, weight, threshold, worst)
        for name in FIGURES:
            assert (more[name] - run.value[name]) / step == pytest.approx(
                run.influence[name][subject], abs=1e-6
            )


@pytest.mark.parametrize("figure", ["HTER", "AUC", "BPCER"])
def test_the_error_is_that_of_a_bootstrap_of_whole_subjects_for_both_models(figure):
    one, two = people(0, 60, noise=0.5), people(1, 60, noise=0.7)
    found = compare([(judged(one, 0.1, "M", 0), judged(two, -0.2, "M", 0))], figure)
    first, second = bootstrap.resample(one, 0.1, 7, 4000), bootstrap.resample(two, -0.2, 7, 4000)
    moved = first.values[figure] - second.values[figure]  # equal seeds draw the same subjects
    assert found.error == pytest.approx(moved.std(), rel=0.06)
    assert found.error < 0.9 * np.hypot(first.values[figure].std(), second.values[figure].std())


def test_the_bench_simulates_the_figures_and_contributions_of_the_product():
    rng = np.random.default_rng(3)
    live, attack = comparison.scores(rng, 1, 9, np.full((1, 1, 2), 0.7))
    rows = [
        (f"M-{s}-{kind}-{i}", "M", "test", f"p{s}", f"{s}-{kind}-{i}", kind, int(kind == "live"), score)
        for s in range(9)
        for kind, some in (("live", live), ("print", attack))
        for i, score in enumerate(some[0, 0, 0, s])
    ]
    run = judged(Scores(*map(np.array, zip(*rows, strict=True))), 0.1, "M", 0)
    for name, (value, influence) in comparison.judge(live, attack, (0.1, 0.1)).items():
        assert value[0, 0, 0] == pytest.approx(run.value[name], abs=1e-12)
        np.testing.assert_allclose(influence[0, 0, 0], run.influence[name], atol=1e-12)


def noise(
    rng,
    targets: int,
    seeds: int,
    subjects: int,
    of_subject: float,
    of_seed: float,
    own: float,
    *,
    together=False,
):
    """Return pairs of runs that differ by noise alone: of subjects, of trainings, and of both together.

    With `together`, the runs of a seed are one training, which is judged on all targets.
    """
    found = []
    of_training = rng.normal(0, of_seed, (1 if together else targets, seeds)).repeat(
        targets if together else 1, 0
    )
    for target in range(targets):
        shared, sources = rng.normal(0, of_subject, subjects), "M&I" if together else str(target)
        for seed in range(seeds):
            each = shared + of_training[target, seed] + rng.normal(0, own, subjects)
            influence = (each - each.mean()) / subjects
            run = Run(str(target), seed, {"AUC": each.mean()}, {"AUC": influence}, sources)
            zero = Run(str(target), seed, {"AUC": 0.0}, {"AUC": np.zeros(subjects)}, sources)
            found.append((run, zero))
    return found


@pytest.mark.parametrize(
    ("targets", "seeds", "parts"),
    [
        (1, 1, (0.1, 0.0, 0.0)),
        (4, 1, (0.1, 0.0, 0.1)),
        (1, 3, (0.0, 0.05, 0.1)),
        (1, 3, (0.2, 0.0, 0.2)),
        (4, 3, (0.1, 0.03, 0.1)),
    ],
)
def test_noise_is_called_significant_in_one_case_of_twenty(targets, seeds, parts):
    rng = np.random.default_rng([targets, seeds])
    found = [compare(noise(rng, targets, seeds, 20, *parts), "AUC").p < 0.05 for _ in range(1000)]
    # Three standard errors of the share are 0.021, and three seeds on one target have a size of up to 7 %.
    assert 0.03 < np.mean(found) < 0.08


@pytest.mark.parametrize(
    ("targets", "parts"), [(2, (0.05, 0.05, 0.05)), (2, (0.0, 0.05, 0.1)), (4, (0.1, 0.03, 0.1))]
)
def test_targets_that_share_a_training_are_no_independent_trainings(targets, parts):
    rng = np.random.default_rng([targets, 7])
    cases = [noise(rng, targets, 3, 20, *parts, together=True) for _ in range(1000)]
    assert 0.02 < np.mean([compare(both, "AUC").p < 0.05 for both in cases]) < 0.08
    # Taken for independent, they are called significant far too often.
    alone = [[(replace(a, trained_on=""), replace(b, trained_on="")) for a, b in both] for both in cases]
    assert np.mean([compare(both, "AUC").p < 0.05 for both in alone]) > 0.1


def test_seeds_that_disagree_widen_the_interval():
    def runs(values):
        return [
            (Run("M", k, {"AUC": v}, {"AUC": still}), Run("M", k, {"AUC": 0.5}, {"AUC": 0 * still}))
            for k, v in enumerate(values)
        ]

    still = np.tile([0.001, -0.001], 10)
    same, apart = compare(runs([0.6, 0.6, 0.6]), "AUC"), compare(runs([0.5, 0.6, 0.7]), "AUC")
    assert same.value == pytest.approx(apart.value) == pytest.approx(0.1)
    assert same.p < 0.001
    assert apart.p > 0.05
    assert apart.error == pytest.approx(np.hypot(same.error, 0.1 / 3**0.5))


def test_few_subjects_that_all_say_the_same_are_no_proof():
    alike = np.zeros(4)
    both = [(Run("M", 0, {"FAR": 1.0}, {"FAR": alike}), Run("M", 0, {"FAR": 0.0}, {"FAR": alike}))]
    found = compare(both, "FAR")
    assert (found.error, found.p) == (0.0, 2.0**-3)
    assert found.interval() == (-1.0, 1.0)


def test_equal_models_have_p_1():
    run = judged(people(), 0.0, "M", 0)
    found = compare([(run, run)], "HTER")
    assert (found.value, found.p, found.interval()) == (0.0, 1.0, (0.0, 0.0))


estimates = st.lists(
    st.builds(
        Estimate,
        value=st.floats(-0.5, 0.5),
        error=st.one_of(st.just(0.0), st.floats(1e-4, 0.3)),
        freedom=st.floats(1, 200),
        subjects=st.integers(2, 200),
    ),
    min_size=1,
    max_size=6,
)


@given(estimates)
def test_interval_corrected_p_and_verdict_never_contradict_each_other(several):
    for estimate, verdict in zip(several, decide(several), strict=True):
        assert verdict.significant == (verdict.p < paired.LEVEL)
        assert verdict.significant == (not verdict.low <= 0 <= verdict.high)
        assert verdict.low <= estimate.value <= verdict.high


def test_holm_on_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_runs_are_paired_by_target_and_seed_and_single_ones_whatever_their_seeds():
    def some(*places):
        return [Run(target, seed, {}, {}) for target, seed in places]

    one, two = some(("C", 0), ("C", 1), ("O", 0), ("M", 3)), some(("C", 1), ("C", 2), ("M", 5), ("I", 0))
    found = [(a.target, a.seed, b.seed) for a, b in pairs(one, two)]
    assert found == [("C", 1, 1), ("M", 3, 5)]


def test_a_class_that_one_person_shows_says_nothing_about_others():
    scores = people()
    alone = scores.select((scores.label == 0) | (scores.subject == "p03"))
    with pytest.raises(DataError, match="all live recordings of M are of one person"):
        judged(alone, 0.0, "M", 0)
