"""Only sources set the threshold, and the figures are consistent."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.evaluation import figures, rates, thresholds


@pytest.fixture(scope="module")
def validation(make_scores):
    return make_scores("CIO", "validation", seed=1)


@pytest.fixture(scope="module")
def target(make_scores):
    return make_scores("M", "test", seed=2, shift=0.7)


@pytest.fixture(scope="module")
def computed(validation, target):
    return figures.compute(validation, target, seed=0, resamples=200)


def test_threshold_carries_its_source(validation):
    threshold = thresholds.from_sources(validation, "video")
    videos = validation.per_video()
    assert (threshold.eer, threshold.value) == rates.eer(videos.label, videos.score)
    assert threshold.source == ("equal error rate on the validation splits of C, I, O (108 videos)")


@pytest.mark.parametrize("split", ["train", "test"])
def test_threshold_from_another_split_is_refused(make_scores, split):
    with pytest.raises(RunError, match=split):
        thresholds.from_sources(make_scores(split=split), "frame")


def test_target_among_the_sources_is_refused(make_scores, target):
    with pytest.raises(RunError, match="M"):
        figures.compute(make_scores("CM", "validation"), target, seed=0)


def test_target_of_one_class_is_refused(validation, target):
    with pytest.raises(DataError, match="target has no attack"):
        figures.compute(validation, target.select(target.label == 1), seed=0)


@pytest.mark.parametrize("unit", ["frame", "video"])
def test_figures_of_the_sources_are_those_at_the_threshold_of_the_model(validation, computed, unit):
    found, scores = figures.of_sources(validation)[unit], validation.per(unit)
    assert found["threshold"] == computed[unit]["threshold"]
    assert found["source_validation_EER"] == computed[unit]["source_validation_EER"]
    assert found["AUC"] == rates.auc(scores.label, scores.score)
    assert list(found["domains"]) == list("CIO")
    for name, its in found["domains"].items():
        own = figures.points(scores.select(scores.domain == name), found["threshold"]["value"])
        assert its == {"HTER": own["HTER"], "AUC": own["AUC"]}
    assert (found["counts"]["live"], found["counts"]["attack"]) == (
        (scores.label == 1).sum(),
        (scores.label == 0).sum(),
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_source_without_attacks_has_no_figures(validation):
    with pytest.raises(DataError, match="validation split of I has no attack"):
        figures.of_sources(validation.select((validation.domain != "I") | (validation.label == 1)))


def test_figures_survive_json(computed):
    assert json.loads(json.dumps(computed, allow_nan=False)) == computed


def test_schema_is_stable(computed):
    assert set(computed) == {"frame", "video"}
    for figure in computed.values():
        assert set(figure) == {
            "threshold", "HTER", "FAR", "BPCER", "ACER", "AUC", "oracle_EER", "optimism_gap",
            "source_validation_EER", "APCER", "APCER_worst", "BPCER_at_APCER", "counts",
            "bootstrap", "operating_points",
        }  # fmt: skip
        assert set(figure["HTER"]) == {"value", "low", "high"}
        assert set(figure["APCER"]) == {"print", "replay"}
        assert set(figure["BPCER_at_APCER"]) == {"0.10", "0.05", "0.01"}


def test_figures_fit_together(computed, target):
    for unit, figure in computed.items():
        scores, threshold = target.per(unit), figure["threshold"]["value"]
        value = {name: f["value"] for name, f in figure.items() if name in figures.points(scores, 0)}
        assert value["HTER"] == (value["FAR"] + value["BPCER"]) / 2
        assert value["ACER"] == (value["APCER_worst"] + value["BPCER"]) / 2
        assert value["optimism_gap"] == value["HTER"] - value["oracle_EER"]
        assert value["HTER"] == rates.hter(scores.label, scores.score, threshold)
        # HTER at the target's own equal-error threshold is its EER.
        oracle = rates.hter(scores.label, scores.score, figure["oracle_EER"]["threshold"])
        assert value["oracle_EER"] == pytest.approx(oracle, abs=1e-15)
        worst = figure["APCER_worst"]
        assert worst["value"] == max(rate["value"] for rate in figure["APCER"].values())
        assert worst["value"] == figure["APCER"][worst["type"]]["value"]


def test_figures_do_not_depend_on_the_scale_of_the_scores(validation, target, computed):
    wide = [replace(s, score=s.score * 1024 - 4096) for s in (validation, target)]
    again = figures.compute(*wide, seed=0, resamples=200)
    for unit, figure in again.items():
        for name in ("HTER", "FAR", "BPCER", "ACER", "AUC", "APCER", "APCER_worst", "BPCER_at_APCER", "counts"):
            assert figure[name] == computed[unit][name]
        expected = computed[unit]["threshold"]["value"] * 1024 - 4096
        assert figure["threshold"]["value"] == pytest.approx(expected)
        assert not 0 <= figure["threshold"]["value"] <= 1


def test_intervals_hold_their_values(computed):
    for figure in computed.values():
        for name in ("HTER", "AUC", "FAR", "BPCER"):
            assert figure[name]["low"] <= figure[name]["value"] <= figure[name]["high"]


def test_counts(computed):
    assert computed["frame"]["counts"] == {
        "live": 72, "attack": 144, "subjects": 12, "videos": 36
    }  # fmt: skip
    assert computed["video"]["counts"] == {
        "live": 12, "attack": 24, "subjects": 12, "videos": 36
    }  # fmt: skip


def test_the_targets_labels_do_not_touch_the_threshold(validation, target, computed):
    other = target.select(np.flatnonzero(target.subject != "M/s00"))
    again = figures.compute(validation, other, seed=0, resamples=20)
    for unit in ("frame", "video"):
        assert again[unit]["threshold"] == computed[unit]["threshold"]
