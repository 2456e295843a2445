"""Examples lie on the right side of the threshold, the most extreme first, spread over subjects."""

import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation import examples


def test_groups_hold_what_they_say(make_scores):
    scores = make_scores()
    row = {key: i for i, key in enumerate(scores.key.tolist())}
    picked = examples.pick(scores, 0.5, k=5)
    assert list(picked) == list(examples.GROUPS)
    for group, (label, accepted, highest) in examples.GROUPS.items():
        index = [row[key] for key in picked[group]]
        assert len(index) == 5
        assert set(scores.label[index]) == {label}
        assert set(scores.score[index] >= 0.5) == {accepted}
        extreme = scores.score[(scores.label == label) & ((scores.score >= 0.5) == accepted)]
        assert scores.score[index[0]] == (extreme.max() if highest else extreme.min())


def test_subjects_take_turns(make_scores):
    scores = make_scores(subjects=3, frames=9)
    keys = examples.pick(scores, 0.0, k=6)["live accepted, most confident"]
    subjects = [scores.subject[scores.key == key][0] for key in keys]
    assert len(set(subjects[:3])) == 3
    assert len(set(subjects[3:])) == 3


def test_choice_does_not_depend_on_the_order_of_the_rows(make_scores):
    scores = make_scores()
    shuffled = scores.select(np.random.default_rng(0).permutation(len(scores)))
    assert examples.pick(scores, 0.5) == examples.pick(shuffled, 0.5)


def test_a_group_may_be_empty(make_scores):
    picked = examples.pick(make_scores(), 0.0)
    assert picked["live rejected, worst"] == []


def test_parquet_round_trip():
    picked = {"b": ["k2", "k1"], "a": ["k3"], "none": []}
    data = examples.to_parquet(picked, {"k1": b"1", "k2": b"\xff\xd8", "k3": b""})
    assert examples.from_parquet(data) == [
        ("k2", "b", b"\xff\xd8"), ("k1", "b", b"1"), ("k3", "a", b"")
    ]  # fmt: skip


def test_foreign_bytes_are_refused():
    with pytest.raises(DataError, match="not a parquet table of key, group and image"):
        examples.from_parquet(b"nothing")
