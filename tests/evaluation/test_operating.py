"""Every operating point is the best of all thresholds that keep its limit, counted sample by sample."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.evaluation import operating, rates
from rfmeta_dist.evaluation.scores import Scores

LARGEST = float(np.finfo(np.float64).max)


def scores_of(kinds, values):
    """Return scores in which each sample is a recording of its own."""
    n = len(kinds)
    names = np.array([f"v{i}" for i in range(n)], dtype=object)
    same = np.full(n, "M", dtype=object)
    kinds = np.array(kinds, dtype=object)
    return Scores(names, same, np.full(n, "validation"), names, names, kinds, kinds == "live", values)


@st.composite
def samples(draw):
    """Draw scores of both classes, on a coarse grid with many ties or anywhere among the finite floats."""
    kinds = [
        "live",
        "print",
        *draw(st.lists(st.sampled_from(["live", "print", "replay", "mask"]), max_size=30)),
    ]
    grid = draw(st.sampled_from([2, 10, 1000]))
    anywhere = st.floats(-1e300, 1e300, allow_nan=False)
    value = draw(st.sampled_from([st.integers(0, grid).map(lambda tick: tick / grid), anywhere]))
    return scores_of(kinds, draw(st.lists(value, min_size=len(kinds), max_size=len(kinds))))


def counted(scores, threshold):
    """Return BPCER, the worst APCER and the share of all attacks accepted, as exact fractions."""
    errors = {}
    for kind, score in zip(scores.attack_type, scores.score, strict=True):
        errors.setdefault(kind, []).append((score >= threshold) != (kind == "live"))
    live = errors.pop("live")
    attacks = [wrong for kind in errors.values() for wrong in kind]
    worst = max(Fraction(sum(kind), len(kind)) for kind in errors.values())
    return Fraction(sum(live), len(live)), worst, Fraction(sum(attacks), len(attacks))


def wish(name, bpcer, apcer, far):
    """Return whether a threshold with these rates keeps the limit of a point, and what the point minimises."""
    if name == "eer":
        return True, (abs(far - bpcer), far + bpcer)
    if name == "min-hter":
        return True, (far + bpcer, abs(far - bpcer))
    limit = Fraction(int(name.rpartition("r")[2]), 100)
    if name.startswith("bpcer@apcer"):
        return apcer <= limit, (bpcer, apcer)
    if name.startswith("apcer@bpcer"):
        return bpcer <= limit, (apcer, bpcer)
    assert name == "tpr@fpr1"
    return far <= limit, (bpcer, far)


@pytest.mark.parametrize("name", operating.NAMES)
@settings(max_examples=80, deadline=None)
@given(scores=samples())
@example(
    scores=scores_of(["live"] * 20 + ["print"] * 20, [0.1] + [0.9] * 19 + [0.2] * 19 + [0.8])
)  # 5 % exactly
@example(scores=scores_of(["live"] * 100 + ["print"] * 100, np.linspace(0, 1, 200)))
def test_a_point_is_the_best_of_all_thresholds(name, scores):
    threshold = operating.choose(scores, name)
    assert np.isfinite(threshold)
    values = np.unique(scores.score)
    every = [*values, np.nextafter(values[-1], np.inf)]
    options = [(wish(name, *counted(scores, t)), t) for t in every]
    best = min(aim for (kept, aim), _ in options if kept)
    assert wish(name, *counted(scores, threshold)) == (True, best)
    # Of equally good thresholds the highest cut is taken: the next higher score would be a worse threshold.
    highest = max(t for (kept, aim), t in options if kept and aim == best)
    assert ((scores.score >= threshold) == (scores.score >= highest)).all()


@settings(max_examples=80, deadline=None)
@given(samples())
def test_points_agree_with_the_rates_that_are_reported_today(scores):
    assert operating.choose(scores, "eer") == rates.eer(scores.label, scores.score).threshold
    for limit, bpcer in rates.bpcer_at_apcer(scores.attack_type, scores.score).items():
        threshold = operating.choose(scores, f"bpcer@apcer{100 * limit:.0f}")
        assert rates.bpcer(scores.label, scores.score, threshold) == bpcer


@settings(max_examples=40, deadline=None)
@given(samples())
def test_a_stricter_limit_never_lowers_the_error_that_pays_for_it(scores):
    at = {name: counted(scores, threshold) for name, threshold in operating.choose_some(scores).items()}
    assert at["bpcer@apcer10"][0] <= at["bpcer@apcer5"][0] <= at["bpcer@apcer1"][0]
    assert at["apcer@bpcer5"][1] <= at["apcer@bpcer1"][1]
    assert sum(at["min-hter"][::2]) <= min(sum(rates[::2]) for rates in at.values())


def test_the_worst_attack_type_counts_and_not_the_mean():
    kinds = ["live"] * 10 + ["print"] * 90 + ["mask"] * 10
    scores = scores_of(
        kinds, [*np.linspace(0.55, 1, 10), *np.linspace(0, 0.3, 90), *np.linspace(0.5, 0.95, 10)]
    )
    assert counted(scores, operating.choose(scores, "bpcer@apcer10"))[1] <= Fraction(1, 10)
    # 1 of 100 attacks may be accepted at tpr@fpr1, and it is a mask: 10 % of the masks.
    assert counted(scores, operating.choose(scores, "tpr@fpr1"))[1:] == (Fraction(1, 10), Fraction(1, 100))


def test_an_attack_with_the_largest_float_leaves_no_threshold():
    scores = scores_of(["live", "print"], [0.5, LARGEST])
    with pytest.raises(
        DataError, match="no finite threshold keeps the limit of the operating point bpcer@apcer1"
    ):
        operating.choose(scores, "bpcer@apcer1")
    assert np.isfinite(operating.choose(scores, "min-hter"))


def test_a_wrong_name_lists_the_right_ones():
    with pytest.raises(ConfigError) as caught:
        operating.choose(scores_of(["live", "print"], [0.5, 0.4]), "BPCER@1")
    assert "'BPCER@1'" in caught.value.problem
    assert all(name in caught.value.remedy for name in operating.NAMES)


def test_one_class_is_refused():
    with pytest.raises(DataError, match="has no attack sample"):
        operating.choose(scores_of(["live", "live"], [0.5, 0.4]), "bpcer@apcer1")


@pytest.mark.parametrize(
    ("name", "live", "replay", "why"),
    [
        ("eer", 1, 1, ""),
        ("min-hter", 1, 1, ""),
        ("bpcer@apcer1", 5, 100, ""),
        (
            "bpcer@apcer1",
            100,
            99,
            "needs at least 100 recordings of each attack type, but there are 99 of replay",
        ),
        ("bpcer@apcer5", 1, 20, ""),
        (
            "bpcer@apcer5",
            100,
            19,
            "needs at least 20 recordings of each attack type, but there are 19 of replay",
        ),
        ("bpcer@apcer10", 1, 9, "needs at least 10 recordings of each attack type, but there are 9 of replay"),
        ("bpcer@apcer10", 1, 1, "needs at least 10 recordings of each attack type, but there is 1 of replay"),
        ("apcer@bpcer5", 20, 1, ""),
        ("apcer@bpcer1", 99, 1, "needs at least 100 recordings of live faces, but there are 99"),
        ("tpr@fpr1", 1, 0, ""),  # the 100 of print are enough
        ("tpr@fpr1", 200, -1, "needs at least 100 recordings of all attacks together, but there are 99"),
    ],
)
def test_too_few_recordings_are_named(name, live, replay, why):
    kinds = ["live"] * live + ["print"] * min(100, 100 + replay) + ["replay"] * replay
    found = operating.unresolved(scores_of(kinds, np.zeros(len(kinds))), name)
    assert found.endswith(why)
    assert bool(found) == bool(why)


def test_frames_of_one_recording_count_once(make_scores):
    scores = make_scores(subjects=12, frames=20)  # 240 frames of each type, from 12 recordings
    assert "12 of print, 12 of replay" in operating.unresolved(scores, "bpcer@apcer1")
    assert operating.unresolved(scores, "apcer@bpcer1") == operating.unresolved(
        scores.per_video(), "apcer@bpcer1"
    )
    assert operating.recordings(scores) == {"live": 12, "print": 12, "replay": 12}
