"""`Scores` refuses invalid columns; videos, selections and parquet files keep all facts."""

from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation.scores import Scores


def same(a: Scores, b: Scores) -> bool:
    return all(np.array_equal(column, getattr(b, name)) for name, column in a.columns().items())


def test_parquet_round_trip_is_exact(make_scores):
    scores = make_scores()
    assert same(Scores.from_parquet(scores.to_parquet()), scores)


def test_parquet_round_trip_of_nothing(make_scores):
    empty = make_scores().select(np.zeros(len(make_scores()), bool))
    assert len(Scores.from_parquet(empty.to_parquet())) == 0


@pytest.mark.parametrize("data", [b"", b"not parquet at all"])
def test_foreign_bytes_are_refused(data):
    with pytest.raises(DataError, match="scores cannot be read"):
        Scores.from_parquet(data)


def test_a_missing_column_is_named(make_scores):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(make_scores().to_parquet())).drop_columns(["subject"])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    with pytest.raises(DataError, match="subject"):
        Scores.from_parquet(sink.getvalue().to_pybytes())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_refused_and_located(make_scores, bad):
    scores = make_scores()
    values = scores.score.copy()
    values[3] = bad
    with pytest.raises(DataError, match=rf"1 of 216 .* is {bad} for {scores.key[3]}.*; give every frame"):
        replace(scores, score=values)


def test_any_finite_score_is_held(make_scores):
    scores = make_scores()
    values = np.linspace(-3.0e7, 41.5, len(scores))
    other = replace(scores, score=values)
    assert same(Scores.from_parquet(other.to_parquet()), other)
    largest = np.finfo(np.float64).max
    assert set(replace(scores, score=np.full(len(scores), largest)).per_video().score) == {largest}


def test_label_and_attack_type_must_agree(make_scores):
    scores = make_scores()
    with pytest.raises(DataError, match="contradicts"):
        replace(scores, label=1 - scores.label)
    with pytest.raises(DataError, match="neither 0 nor 1"):
        replace(scores, label=scores.label + 1)


def test_columns_must_have_equal_length(make_scores):
    scores = make_scores()
    with pytest.raises(DataError, match="length"):
        replace(scores, score=scores.score[:-1])


def test_per_video_is_the_mean_over_its_frames(make_scores):
    scores = make_scores("MC", frames=5)
    order = np.random.default_rng(0).permutation(len(scores))  # frames may come in any order
    videos = scores.select(order).per_video()
    assert len(videos) == len(scores) / 5
    for i in range(len(videos)):
        rows = (scores.domain == videos.domain[i]) & (scores.video == videos.video[i])
        assert videos.score[i] == pytest.approx(scores.score[rows].mean(), abs=1e-15)
        assert set(scores.label[rows]) == {videos.label[i]}
        assert set(scores.subject[rows]) == {videos.subject[i]}


def test_equal_video_names_in_two_domains_stay_apart(make_scores):
    one = make_scores("M", subjects=2, frames=1)
    both = make_scores("MC", subjects=2, frames=1)
    assert len(both.per_video()) == 2 * len(one.per_video())
    assert len(set(both.per_video().key)) == len(both.per_video())


def test_videos_of_videos_are_the_same_videos(make_scores):
    videos = make_scores().per_video()
    assert same(videos.per_video(), videos)


def test_a_video_of_two_subjects_is_refused(make_scores):
    scores = make_scores()
    subject = scores.subject.copy()
    subject[0] = "M/other"
    with pytest.raises(DataError, match="differ in subject"):
        replace(scores, subject=subject).per_video()


@pytest.mark.parametrize(("label", "missing"), [(1, "attack"), (0, "live")])
def test_a_missing_class_is_named(make_scores, label, missing):
    scores = make_scores()
    with pytest.raises(DataError, match=f"no {missing}"):
        scores.select(scores.label == label).require_both_classes("the target")
