"""Rates and intervals at operating points are those that counting and the plain bootstrap give."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.evaluation import bootstrap, figures, operating, rates, thresholds


@pytest.fixture(scope="module")
def validation(make_scores):
    return make_scores("CIO", "validation", subjects=8, seed=1)


@pytest.fixture(scope="module")
def target(make_scores):
    return make_scores("M", "test", seed=2, shift=0.7)


@pytest.fixture(scope="module")
def computed(validation, target):
    return figures.compute(validation, target, seed=0, resamples=200)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=5), st.integers(1, 50))
def test_rates_at_many_thresholds_are_those_at_each(make_scores, values, grid):
    scores = make_scores(subjects=3)
    scores = replace(scores, score=np.round(scores.score * grid) / grid)
    values.append(float(scores.score[0]))  # a threshold at a score itself
    for threshold, at in thresholds.reached(scores, dict(zip(values, values, strict=True))).items():
        apcer = rates.apcer(scores.attack_type, scores.score, threshold)
        kind, worst = rates.worst(apcer)
        assert at == {
            "BPCER": rates.bpcer(scores.label, scores.score, threshold),
            "FAR": rates.far(scores.label, scores.score, threshold),
            "HTER": rates.hter(scores.label, scores.score, threshold),
            "APCER": apcer,
            "APCER_worst": {"value": worst, "type": kind},
        }


def test_intervals_of_many_thresholds_are_those_of_each(target):
    at = {"low": 0.3, "high": 0.7}
    together = bootstrap.resample(target, 0.5, seed=3, resamples=100, also=at)
    for name, threshold in at.items():
        alone = bootstrap.resample(target, threshold, seed=3, resamples=100)
        for figure in ("BPCER", "FAR", "HTER", "APCER_worst", "APCER print", "APCER replay"):
            assert together.interval(f"{name} {figure}") == alone.interval(figure)


@pytest.mark.parametrize("unit", ["frame", "video"])
def test_the_target_is_judged_at_thresholds_of_the_sources_beside_its_own(validation, target, computed, unit):
    found, mine = computed[unit]["operating_points"], target.per(unit)
    assert tuple(found) == operating.NAMES
    for name, at in found.items():
        assert at["threshold"] == operating.choose(validation.per(unit), name)
        assert at["BPCER"]["value"] == rates.bpcer(mine.label, mine.score, at["threshold"])
        assert at["sources"] == thresholds.reached(validation.per(unit), {name: at["threshold"]})[name]
        assert at["oracle"]["threshold"] == operating.choose(mine, name)
        for figure in (at["BPCER"], at["FAR"], at["HTER"], at["APCER_worst"], *at["APCER"].values()):
            assert figure["low"] <= figure["value"] <= figure["high"]
    # 24 recordings of each type in the sources, 12 in the target: enough for 5 % and for 10 %.
    assert {name for name, at in found.items() if at["unresolved"]} == {
        "bpcer@apcer1",
        "apcer@bpcer1",
        "tpr@fpr1",
    }
    assert "12 of print" in found["bpcer@apcer5"]["oracle"]["unresolved"]


@pytest.mark.parametrize("unit", ["frame", "video"])
def test_the_default_point_has_the_figures_that_come_first(computed, unit):
    first, point = computed[unit], computed[unit]["operating_points"]["eer"]
    assert point["threshold"] == first["threshold"]["value"]
    for name in ("BPCER", "FAR", "HTER", "APCER", "APCER_worst"):
        assert point[name] == first[name]
    assert point["oracle"]["HTER"] == first["oracle_EER"]["value"]
    points = computed[unit]["operating_points"]
    for limit, bpcer in first["BPCER_at_APCER"].items():
        assert points[f"bpcer@apcer{100 * float(limit):.0f}"]["oracle"]["BPCER"] == bpcer["value"]


def test_a_point_says_what_it_was_chosen_on(validation):
    point = thresholds.points_from_sources(validation, "video")["bpcer@apcer5"]
    assert point.origin == {
        "data": "validation splits of C, I, O",
        "unit": "video",
        "domains": ["C", "I", "O"],
        "subjects": 24,
        "recordings": {"live": 24, "print": 24, "replay": 24},
        "frames": {"live": 144, "print": 144, "replay": 144},
    }


def test_points_from_another_split_are_refused(make_scores):
    with pytest.raises(RunError, match="test"):
        thresholds.points_from_sources(make_scores(split="test"), "frame")
