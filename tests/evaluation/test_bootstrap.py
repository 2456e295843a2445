"""The bootstrap agrees with resampled data, covers the true value, and refuses unusable scores."""

from dataclasses import replace

import numpy as np
import pytest

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


def test_equal_seeds_give_equal_intervals(make_scores):
    scores = make_scores()
    one, two, other = (bootstrap.resample(scores, 0.5, s, 200).interval("AUC") for s in (1, 1, 2))
    assert one == two != other


def test_chunks_do_not_change_the_result(make_scores, monkeypatch):
    scores = make_scores(subjects=5)
    whole = bootstrap.resample(scores, 0.5, 0, 50)
    monkeypatch.setattr(bootstrap, "_CELLS", 1)
    pieces = bootstrap.resample(scores, 0.5, 0, 50)
    for name, values in whole.values.items():
        np.testing.assert_array_equal(values, pieces.values[name])


def test_subjects_are_the_unit_so_the_interval_is_wider_than_over_frames(make_scores):
    scores = make_scores(subjects=15, frames=30)
    frames = replace(scores, subject=scores.key)  # pretend every frame were another person
    for name in ("HTER", "AUC", "oracle_EER"):
        low, high = bootstrap.resample(scores, 0.5, 0, 400).interval(name)
        naive_low, naive_high = bootstrap.resample(frames, 0.5, 0, 400).interval(name)
        assert high - low > 2 * (naive_high - naive_low)


def test_intervals_cover_the_truth_about_as_often_as_they_say(make_scores):
    truth = figures.points(make_scores(subjects=6000, frames=3, seed=10**6), 0.5)
    hits = dict.fromkeys(("HTER", "AUC", "APCER replay"), 0)
    for seed in range(100):
        drawn = bootstrap.resample(make_scores(subjects=40, frames=3, seed=seed), 0.5, seed, 200)
        for name in hits:
            low, high = drawn.interval(name)
            hits[name] += low <= truth[name] <= high
    # 95 expected; binomial noise and the percentile interval's narrowness with 40 subjects.
    assert all(87 <= count <= 100 for count in hits.values()), hits


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
    assert np.isfinite(drawn.interval("APCER replay")).all()


def test_one_subject_has_no_interval(make_scores):
    with pytest.raises(DataError, match="two people"):
        bootstrap.resample(make_scores(subjects=1), 0.5, 0)


def test_one_class_has_no_figures(make_scores):
    scores = make_scores()
    with pytest.raises(DataError, match="no attack"):
        bootstrap.resample(scores.select(scores.label == 1), 0.5, 0)
