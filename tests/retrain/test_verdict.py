from __future__ import annotations

import json
from typing import Any

import pytest

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.pairs import Pairs
from rfmeta_dist.retrain.recompute import recompute
from tests.retrain.pairs_made import frozen, made, new

FROZEN = frozen({"live": (150, 4, 4), "print": (150, 4, 4)})
PAIRS = made(FROZEN + new({"card": (100, 30, 2), "live": (20, 0, 0)}))


@pytest.fixture(name="verdict")
def _verdict() -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(json.dumps(judge(PAIRS, Gate(margin=4)).as_dict(), allow_nan=False))
    return stored


def test_a_stored_verdict_follows_from_the_stored_scores(verdict: dict[str, Any]) -> None:
    assert recompute(PAIRS.to_parquet(), verdict) == []
    assert judge(Pairs.from_parquet(PAIRS.to_parquet()), Gate(margin=4)).as_dict() == verdict


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("decision",), "promoted"),
        (("sentence",), "All is well."),
        (("thresholds", "challenger"), 0.4),
        (("packages", "challenger"), "e" * 64),
        (("tests", 0, "p"), 0.03),
        (("tests", 2, "passed"), True),
        (("harm", 0, "challenger"), 0),
        (("rates", 0, "champion"), 0.5),
        (("sizes", "new", "videos"), 121),
        (("needs", 0, "videos"), 1),
        (("settings", "margin"), 10.0),
        (("settings", "margin"), "ten"),
        (("tries",), 2),
        (("tries",), 0),
        (("format",), 0),
        (("scores",), "0" * 64),
    ],
)
def test_an_edited_field_is_noticed(verdict: dict[str, Any], path: tuple[Any, ...], value: object) -> None:
    inside: Any = verdict
    for name in path[:-1]:
        inside = inside[name]
    assert inside[path[-1]] != value
    inside[path[-1]] = value
    differences = recompute(PAIRS.to_parquet(), verdict)
    assert differences
    named = ".".join(map(str, path))
    if path[0] in ("settings", "tries"):  # levels and needs follow from them
        named = "tests.0.level" if value == 2 else "needs" if value == 10.0 else path[0]
    assert any(line.startswith(named) for line in differences), differences


def test_missing_and_added_fields_are_noticed(verdict: dict[str, Any]) -> None:
    removed = {name: value for name, value in verdict.items() if name != "needs"}
    assert any(line.startswith("needs: None") for line in recompute(PAIRS.to_parquet(), removed))
    assert any("note" in line for line in recompute(PAIRS.to_parquet(), verdict | {"note": "approved"}))
    assert recompute(PAIRS.to_parquet(), verdict | {"tests": verdict["tests"][:1]})


def test_edited_scores_are_noticed(verdict: dict[str, Any]) -> None:
    other = made(FROZEN + new({"card": (100, 30, 1), "live": (20, 0, 0)}))
    (line,) = recompute(other.to_parquet(), verdict)
    assert line.startswith("scores:")
