"""The simulation of the gate: its truths, its measurement, and what the documentation says of its result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.gate.generate import population
from bench.gate.simulate import NEW_TYPE, TRUTHS, Population, measured, verdicts
from bench.gate.table import markdown
from rfmeta_dist.retrain.decisions import OWN
from rfmeta_dist.retrain.pairs import NEW, Pairs

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="pairs", scope="module")
def _pairs() -> Pairs:
    return population(0.1, 4, 0.4)


def shares(pairs: Pairs, rows: Any) -> tuple[float, float]:
    """Return the shares of these attacks that champion and challenger accept."""
    return float((pairs.champion[rows] >= 0).mean()), float((pairs.challenger[rows] >= 0).mean())


def test_the_population_has_the_wanted_disagreement_and_alike_people(pairs: Pairs) -> None:
    found = [row for row in measured(pairs) if row["at"] == OWN]
    assert {row["type"] for row in found} == {"live", "cut", "mask", "print", "replay"}
    for row in found:
        assert row["disagreement"] == pytest.approx(10, abs=1)
        assert row["champion"] == pytest.approx(10, abs=1)
        assert row["challenger"] == pytest.approx(10, abs=1)
        assert row["videos"] == 4 * row["subjects"]
        assert 1.1 < row["design_effect"] < 2.5
    assert all(row["design_effect"] < 1.01 for row in measured(population(0.1, 1, 0.0)))


@pytest.mark.parametrize("truth", TRUTHS, ids=lambda truth: truth.name)
def test_drawn_sets_have_the_truth(pairs: Pairs, truth: Any) -> None:
    drawn_from, rng = Population(pairs), np.random.default_rng(1)
    sets = [drawn_from.draw(rng, 800, 200, truth) for _ in range(30)]
    sizes = [[(one.attack_type == kind).sum() for kind in ("print", NEW_TYPE)] for one in sets]
    assert np.mean(sizes, axis=0) == pytest.approx([800, 200], rel=0.05)  # people are whole
    worst = np.mean(
        [shares(one, (one.attack_type == drawn_from.worst) & (one.part != NEW)) for one in sets], axis=0
    )
    other = np.mean([shares(one, one.attack_type == "print") for one in sets], axis=0)
    new = np.mean([shares(one, one.attack_type == NEW_TYPE) for one in sets], axis=0)
    assert drawn_from.worst != "print"
    assert worst[1] - worst[0] == pytest.approx(truth.loss, abs=0.01)
    assert other[1] - other[0] == pytest.approx(0, abs=0.01)
    assert new[0] - new[1] == pytest.approx(truth.gain, abs=0.025)


def test_the_gate_tells_the_truths_apart(pairs: Pairs) -> None:
    """Few sets of many videos: the result of the long simulation is in bench/results/gate.json."""
    drawn_from, rng = Population(pairs), np.random.default_rng(2)
    equal, worse, better = (verdicts(drawn_from, rng, 2400, 200, truth, 12) for truth in TRUTHS)
    assert better["promoted"] >= 9
    assert worse["promoted"] == 0
    assert worse["refused"] >= 9
    assert equal["promoted"] <= 2


def test_the_documentation_has_the_measured_table_and_what_was_aimed_at_holds() -> None:
    result = json.loads((ROOT / "bench/results/gate.json").read_text())
    assert markdown(result).strip() in (ROOT / "docs/explanation/gate.md").read_text()
    promoted = {
        truth.name: [row.get("promoted", 0) for row in result["rows"] if row["truth"] == truth.name]
        for truth in TRUTHS
    }
    equal, worse, better = promoted.values()
    assert max(equal) <= 5
    assert np.mean(worse) <= 1
    assert max(better) >= 80
