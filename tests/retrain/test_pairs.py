from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.retrain.pairs import Pairs
from tests.retrain.pairs_made import frozen, made, new


def scores(values: list[float], order: list[int]) -> Scores:
    kinds = ["live", "print", "live", "print"]
    whole = Scores(
        key=np.array([f"O-v{i}" for i in range(4)], object),
        domain=np.array(["O"] * 4, object),
        split=np.array(["test"] * 4, object),
        subject=np.array(["p", "p", "q", "q"], object),
        video=np.array([f"v{i}" for i in range(4)], object),
        attack_type=np.array(kinds, object),
        label=np.array([int(kind == "live") for kind in kinds]),
        score=np.array(values),
    )
    return whole.select(np.array(order))


def paired(**other: Any) -> Pairs:
    given: dict[str, Any] = {
        "champion": scores([0.9, 0.1, 0.8, 0.2], [3, 2, 1, 0]),
        "challenger": scores([0.7, 0.3, 0.6, 0.4], [0, 1, 2, 3]),
        "thresholds": (0.5, 0.55),
        "packages": ("a" * 64, "b" * 64),
        "new": {"O-v2": "one", "O-v3": "two", "O-elsewhere": "one"},
        "reviewed": [("O", "two"), ("M", "one")],
    }
    return Pairs.of(**given | other)


def test_scores_are_paired_by_key_and_only_reviewed_batches_of_the_domain_count() -> None:
    pairs = paired()
    assert pairs.key.tolist() == ["O-v0", "O-v1", "O-v2", "O-v3"]
    assert pairs.champion.tolist() == [0.9, 0.1, 0.8, 0.2]
    assert pairs.challenger.tolist() == [0.7, 0.3, 0.6, 0.4]
    assert pairs.part.tolist() == ["frozen", "frozen", "new", "new"]
    assert pairs.batch.tolist() == ["", "", "one", "two"]
    assert pairs.counted.tolist() == [True, True, False, True]  # batch `one` was reviewed in M only


def test_what_was_not_scored_by_both_or_shows_something_else_is_refused() -> None:
    with pytest.raises(DataError, match="1 have one score only"):
        paired(challenger=scores([0.7, 0.3, 0.6, 0.4], [0, 1, 2]))
    other = dataclasses.replace(scores([0.7, 0.3, 0.6, 0.4], [0, 1, 2, 3]), subject=np.array(["p"] * 4, object))
    with pytest.raises(DataError, match="differ in subject"):
        paired(challenger=other)


def test_the_file_keeps_everything_and_its_hash() -> None:
    pairs = paired()
    data = pairs.to_parquet()
    again = Pairs.from_parquet(data)
    for name, column in pairs.columns().items():
        assert again.columns()[name].tolist() == column.tolist(), name
    assert (again.thresholds, again.packages) == (pairs.thresholds, pairs.packages)
    assert pairs.sha256 == again.sha256 == again.read_from
    assert again.select(np.arange(3)).sha256 != again.sha256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"champion": [0.1, np.nan, 0.3]}, "not a finite number"),
        ({"key": ["a", "a", "b"]}, "twice"),
        ({"label": [1, 1, 0]}, "contradicts"),
        ({"part": ["frozen", "old", "new"]}, "neither frozen nor new"),
        ({"counted": [False, True, True]}, "frozen video is not counted"),
        ({"thresholds": (0.5, np.inf)}, "threshold"),
        ({"batch": [""]}, "length"),
    ],
)
def test_pairs_that_cannot_be_are_refused(change: dict[str, Any], said: str) -> None:
    groups = [*frozen({"live": (1, 0, 0), "print": (1, 0, 0)}), *new({"print": (1, 0, 0)})]
    with pytest.raises(DataError, match=said):
        made(groups, **change)


@pytest.mark.parametrize("data", [b"", b"not a table", scores([1, 0, 1, 0], [0, 1, 2, 3]).to_parquet()])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Pairs.from_parquet(data)
