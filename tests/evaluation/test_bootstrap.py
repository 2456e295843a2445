"""The bootstrap agrees with resampled data, covers the true value, and refuses unusable scores."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.evaluation import bootstrap, figures


def test_every_figure_equals_the_plain_metric_on_the_resampled_data(make_scores):
    # Coarse scores, so that ties occur; frames of drawn subjects copied out one by one.
    scores = make_scores(subjects=7, frames=4)
    scores = replace(scores, score=np.round(scores.score, 2))
    drawn = bootstrap.resample(scores, 0.45, seed=3, resamples=25)
    names = np.unique(scores.subject)
    draws = generator(3, "bootstrap").integers(7, size=(25, 7))
    for row, draw in enumerate(draws):
        index = np.concatenate([np.flatnonzero(scores.subject == names[s]) for s in draw])
        expected = figures.points(scores.select(index), 0.45)
        got = {name: values[row] for name, values in drawn.values.items()}
        assert got == pytest.approx(expected, abs=1e-12)


def test_an_interval_equals_the_slow_one_of_copied_samples(make_scores):
    # Each resample is copied out sample by sample, and the beta distribution is asked directly.
    scores = make_scores(subjects=9, frames=2)
    drawn = bootstrap.resample(scores, 0.45, seed=3, resamples=40)
    names = np.unique(scores.subject)
    copies = [
        figures.points(
            scores.select(np.concatenate([np.flatnonzero(scores.subject == names[s]) for s in draw])), 0.45
        )
        for draw in generator(3, "bootstrap").integers(9, size=(40, 9))
    ]
    t = stats.t.ppf(0.975, 8)
    # Every subject has one recording of each of live, print and replay.
    recordings = {"BPCER": 9, "FAR": 18, "APCER_worst": 18, "APCER print": 9, "APCER replay": 9}
    for name, value in figures.points(scores, 0.45).items():
        error = np.std([copy[name] for copy in copies]) * np.sqrt(9 / 8)
        if name == "optimism_gap":
            expected = value - t * error, value + t * error
        else:
            samples = min(value * (1 - value) / error**2, recordings.get(name, 27))
            samples *= (stats.norm.ppf(0.975) / t) ** 2
            errors, rest = samples * value, samples * (1 - value)
            expected = stats.beta.ppf(0.025, errors, rest + 1), stats.beta.ppf(0.975, errors + 1, rest)
        assert drawn.interval(name) == pytest.approx(expected, abs=1e-9), name


def test_equal_seeds_give_equal_intervals(make_scores):
    scores = make_scores()
    one, two, other = (bootstrap.resample(scores, 0.5, s, 200) for s in (1, 1, 2))
    assert all(one.interval(name) == two.interval(name) for name in one.values)
    assert one.interval("optimism_gap") != other.interval("optimism_gap")


def test_chunks_do_not_change_the_result(make_scores, monkeypatch):
    scores = make_scores(subjects=5)
    whole = bootstrap.resample(scores, 0.5, 0, 50)
    monkeypatch.setattr(bootstrap, "_CELLS", 1)
    pieces = bootstrap.resample(scores, 0.5, 0, 50)
    for name, values in whole.values.items():
        np.testing.assert_array_equal(values, pieces.values[name])


def test_subjects_are_the_unit_so_the_interval_is_wider_than_over_frames(make_scores):
    scores = make_scores(subjects=15, frames=30)
    frames = replace(scores, subject=scores.key, video=scores.key)  # pretend every frame were another person
    for name in ("HTER", "AUC", "oracle_EER"):
        low, high = bootstrap.resample(scores, 0.5, 0, 400).interval(name)
        naive_low, naive_high = bootstrap.resample(frames, 0.5, 0, 400).interval(name)
        assert high - low > 2 * (naive_high - naive_low)


def test_intervals_cover_the_truth_at_least_as_often_as_they_say(make_scores):
    # With few errors and 35 subjects, percentiles of the resamples contain the true BPCER in 4 of 5 sets.
    truth = figures.points(make_scores(subjects=6000, frames=2, seed=10**6), 0.2)
    hits = dict.fromkeys(("HTER", "AUC", "BPCER", "APCER replay"), 0)
    percentiles = 0
    for seed in range(100):
        drawn = bootstrap.resample(make_scores(subjects=35, frames=2, seed=seed), 0.2, seed, 200)
        for name in hits:
            low, high = drawn.interval(name)
            hits[name] += low <= truth[name] <= high
        low, high = np.percentile(drawn.values["BPCER"], (2.5, 97.5))
        percentiles += low <= truth["BPCER"] <= high
    assert all(count >= 90 for count in hits.values()), hits
    assert percentiles < 88 < hits["BPCER"] - 5


def test_a_rate_without_errors_has_an_interval_with_a_width(make_scores):
    scores = make_scores(subjects=20)
    clear = replace(scores, score=np.where(scores.label == 1, 0.9, 0.1))
    drawn = bootstrap.resample(clear, 0.5, 0, 100)
    for name, value in figures.points(clear, 0.5).items():
        low, high = drawn.interval(name)
        assert low <= value <= high
        assert high - low > 0.168  # 1 − 0.025^(1/20)


@pytest.mark.parametrize(("people", "said"), [(19, "rough indication"), (20, "from 20 people"), (35, "")])
def test_few_people_are_pointed_out(make_scores, people, said):
    trust = bootstrap.resample(make_scores(subjects=people, frames=1), 0.5, 0, 10).trust
    assert said in trust
    assert bool(trust) == bool(said)
    # The interval of this figure contains the true value less often (bench/results/intervals.json).
    assert ("of BPCER at APCER 1 %, fewer" in trust) == (people == 20)


def test_people_who_lack_a_class_do_not_count(make_scores):
    scores = make_scores(subjects=40, frames=1)
    few = scores.select((scores.label == 1) | (scores.subject < "M/s12"))
    drawn = bootstrap.resample(few, 0.5, 0, 50)
    assert "from 12 people" in drawn.trust
    assert drawn.counted["BPCER"] == (40, 40)
    assert drawn.counted["FAR"] == (12, 24)
    assert drawn.counted["APCER print"] == (12, 12)
    assert drawn.counted["AUC"] == (12, 64)


def test_resamples_without_both_classes_are_skipped_and_counted(make_scores):
    scores = make_scores(subjects=3, kinds=("live", "print"))
    live_only = scores.subject == "M/s00"
    scores = scores.select((live_only & (scores.label == 1)) | (~live_only & (scores.label == 0)))
    drawn = bootstrap.resample(scores, 0.5, 0, 500)
    # Live is missing with chance (2/3)^3, attacks with (1/3)^3: one third together.
    assert drawn.skipped == pytest.approx(500 / 3, abs=50)
    assert len(drawn.values["HTER"]) == 500 - drawn.skipped
    assert np.isfinite(drawn.values["HTER"]).all()


def test_an_attack_type_absent_from_a_resample_is_left_out_of_that_type_only(make_scores):
    scores = make_scores(subjects=4)
    rare = (scores.attack_type != "replay") | (scores.subject == "M/s00")
    drawn = bootstrap.resample(scores.select(rare), 0.5, 0, 200)
    assert np.isnan(drawn.values["APCER replay"]).any()
    assert np.isfinite(drawn.values["APCER_worst"]).all()
    assert drawn.interval("APCER replay") == (0, 1)  # nothing is known about other people


def test_one_subject_has_no_interval(make_scores):
    with pytest.raises(DataError, match="two people"):
        bootstrap.resample(make_scores(subjects=1), 0.5, 0)


def test_one_class_has_no_figures(make_scores):
    scores = make_scores()
    with pytest.raises(DataError, match="no attack"):
        bootstrap.resample(scores.select(scores.label == 1), 0.5, 0)


def test_memory_does_not_grow_with_the_number_of_resamples(make_scores):
    scores = make_scores(subjects=40, frames=100)
    thresholds = len(np.unique(scores.score))

    def peak(resamples: int) -> int:
        tracemalloc.start()
        bootstrap.resample(scores, 0.45, seed=0, resamples=resamples, also={"eer": 0.5})
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    at_once = bootstrap._CELLS // thresholds
    assert peak(8 * at_once) < 1.3 * peak(at_once)
