"""Where a model fails: worst slices first, not led by luck, and no slice is called worse by chance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from rfmeta_dist.core.about import to_text
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation import figures, rates, slices
from rfmeta_dist.evaluation.scores import Scores


def scores_of(
    subject: Sequence[Any], kind: Sequence[str], error: Sequence[bool], about: Sequence[dict[str, str]]
) -> Scores:
    """Make scores of recordings that are right or wrong at the threshold 0.5."""
    n = len(subject)
    name, one = np.array([f"v{i}" for i in range(n)], object), np.full(n, "T", object)
    label = (np.array(kind) == "live").astype(int)
    score = np.where(np.array(error, bool), 1 - label, label).astype(float)
    people = np.array([f"T-{s}" for s in subject], object)
    texts = np.array([to_text(facts) for facts in about], object)
    return Scores(name, one, one, people, name, np.array(kind, object), label, score, texts)


def people(rng: np.random.Generator, subjects: int, each: int, rate: float, within: float) -> Scores:
    """Recordings whose errors depend on the person (beta-binomial) and on nothing else that is known."""
    who = np.repeat(np.arange(subjects), each)
    ends = (1 - within) / within
    error = rng.random(len(who)) < rng.beta(rate * ends, (1 - rate) * ends, subjects)[who]
    about = [
        {"device": f"d{i // 2 % 5}", "room": f"r{w % 4}", "light": f"l{light}"}
        for i, (w, light) in enumerate(zip(who.tolist(), rng.integers(4, size=len(who)), strict=True))
    ]
    return scores_of(who.tolist(), ["live", "print"] * (len(who) // 2), error, about)


def rows(scores: Scores) -> list[dict[str, Any]]:
    found = slices.compute(scores, 0.5)
    assert found is not None
    return found["rows"]


@pytest.mark.parametrize(
    ("subjects", "each", "rate", "within"), [(20, 12, 0.05, 0.2), (20, 12, 0.3, 0.6), (35, 6, 0.02, 0.3)]
)
def test_without_a_true_difference_hardly_ever_a_slice_is_called_worse(subjects, each, rate, within):
    rng = np.random.default_rng(19)
    trials = 200
    wrong = sum(
        any(row["worse"] for row in rows(people(rng, subjects, each, rate, within))) for _ in range(trials)
    )
    assert wrong <= 0.05 * trials


def test_all_intervals_hold_the_true_rate_together():
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(200):
        missed += any(not row["low"] <= 0.1 <= row["high"] for row in rows(people(rng, 20, 12, 0.1, 0.3)))
    assert missed <= 10


def test_a_device_that_fails_leads_and_is_called_worse():
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(40):
        scores = people(rng, 30, 20, 0.03, 0.1)
        bad = np.array(['"d0"' in text for text in scores.about]) & (scores.label == 1)
        failed = replace(scores, score=np.where(bad & (rng.random(len(bad)) < 0.4), 0.0, scores.score))
        first = rows(failed)[0]
        found += (first["value"], first["type"], first["worse"]) == ("d0", "live", True)
    assert found >= 38


def test_luck_in_a_small_slice_does_not_lead():
    """Two of two recordings failed on a rare device; 60 of 200 failed on a common one."""
    who = [i % 40 for i in range(400)]
    error = [i < 60 for i in range(200)] + [False] * 200
    about = [{"device": "common" if i < 200 else "other"} for i in range(400)]
    small = scores_of(
        [*who, 1, 2], ["live"] * 402, [*error, True, True], [*about, {"device": "rare"}, {"device": "rare"}]
    )
    first, *others = rows(small)
    assert (first["value"], first["worse"]) == ("common", True)
    rare = next(row for row in others if row["value"] == "rare")
    assert (rare["point"], rare["few"], rare["worse"], rare["subjects"]) == (1.0, True, False, 2)


def test_counts_and_rates_are_those_of_the_rows_selected_by_hand():
    rng = np.random.default_rng(5)
    scores = people(rng, 20, 12, 0.2, 0.3)
    found = slices.compute(scores, 0.5)
    assert found is not None
    assert found["compared"] == len(found["rows"]) == 2 * (5 + 4 + 4)
    for row in found["rows"]:
        has = np.array([f'"{row["attribute"]}":"{row["value"]}"' in text for text in scores.about])
        part = scores.select(has & (scores.attack_type == row["type"]))
        whole = scores.select(scores.attack_type == row["type"])
        wrong = (part.score >= 0.5) != (part.label == 1)
        assert (row["recordings"], row["errors"]) == (len(part), wrong.sum())
        assert row["subjects"] == len(set(part.subject))
        live = row["rate"] == "BPCER"
        label, kind, score = whole.label, whole.attack_type, whole.score
        rate = rates.bpcer(label, score, 0.5) if live else rates.apcer(kind, score, 0.5)["print"]
        assert row["whole"] == pytest.approx(rate, abs=1e-12)
    lows = [row["low"] for row in found["rows"]]
    assert lows == sorted(lows, reverse=True)


def test_one_recording_each_gives_the_interval_of_clopper_and_pearson():
    n, k = 60, 9
    scores = scores_of(
        range(2 * n), ["live"] * 2 * n, [i < k for i in range(2 * n)], [{"x": "a"}] * n + [{}] * n
    )
    (row,) = rows(scores)
    exact = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    assert (row["low"], row["high"]) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_without_errors_each_person_counts_once():
    """Ten recordings of each of 12 people do not prove more than 12 people can."""
    who = [i % 24 for i in range(240)]
    scores = scores_of(who, ["live"] * 240, [False] * 240, [{"x": "a"} if w < 12 else {} for w in who])
    (row,) = rows(scores)
    assert row["low"] == 0.0
    assert row["high"] >= stats.binomtest(0, 12).proportion_ci(0.95, "exact").high


def test_the_worst_attack_type_counts_in_each_slice():
    who = [i % 20 for i in range(240)]
    kinds = [("live", "print", "replay")[i % 3] for i in range(240)]
    error = [kind == "replay" and i % 2 == 0 for i, kind in enumerate(kinds)]
    found = rows(scores_of(who, kinds, error, [{"x": "ab"[i % 4 > 1]} for i in range(240)]))
    worst = {(row["value"], row["type"]) for row in found if row["worst_type"]}
    assert worst == {("a", "replay"), ("b", "replay")}


# --- odd data ---------------------------------------------------------------------------------------


def test_nothing_known_gives_nothing_and_earlier_figures_stay(make_scores):
    validation, target = make_scores("OC", "validation"), make_scores("M")
    plain = figures.compute(validation, target, seed=0, resamples=50)
    about = np.where(np.arange(len(target)) % 12 < 6, '{"device":"1"}', '{"device":"2"}').astype(object)
    told = figures.compute(validation, replace(target, about=about), seed=0, resamples=50)
    assert slices.compute(target, 0.5) is None
    for unit in ("frame", "video"):
        assert "slices" not in plain[unit]
        assert told[unit].pop("slices")["rows"]
    assert told == plain


def test_a_value_for_each_recording_makes_no_slices_and_is_told():
    who = [i % 30 for i in range(3000)]
    facts = [{"serial": f"n{i}", "site": f"s{i % 400}", "group": "ab"[i % 2]} for i in range(3000)]
    found = slices.compute(scores_of(who, ["live"] * 3000, [False] * 3000, facts), 0.5)
    assert found is not None
    assert {row["attribute"] for row in found["rows"]} == {"group", "site"}
    assert sum(row["attribute"] == "site" for row in found["rows"]) == slices.MOST
    left = {(one["attribute"], one["why"]): one for one in found["left_out"]}
    assert left["serial", "one person"]["rates"] == left["serial", "one person"]["recordings"] == 3000
    assert left["site", "many values"]["rates"] == 400 - slices.MOST


def test_missing_values_are_counted_among_the_classes_that_have_them():
    kinds = ["live", "print"] * 60
    facts = [{} if kind == "live" or i < 20 else {"medium": "ab"[i % 4 > 1]} for i, kind in enumerate(kinds)]
    found = slices.compute(scores_of([i % 15 for i in range(120)], kinds, [False] * 120, facts), 0.5)
    assert found is not None
    assert found["unknown"] == {"medium": 10}  # live recordings have no medium
    assert {row["type"] for row in found["rows"]} == {"print"}


def test_the_same_value_everywhere_is_the_whole_and_no_slice():
    found = slices.compute(scores_of(range(10), ["live"] * 10, [False] * 10, [{"session": "1"}] * 10), 0.5)
    assert found is not None
    assert (found["rows"], found["compared"]) == ([], 0)


def test_values_with_odd_characters_stay_apart():
    odd = ['<b>"x"</b>', "Büro\n2", "🏠", "a,b;c", "\\", "{}"]
    facts = [{"room": odd[i % 6]} for i in range(600)]
    found = rows(
        scores_of([i % 25 for i in range(600)], ["live"] * 600, [i % 6 == 2 for i in range(600)], facts)
    )
    assert {row["value"] for row in found} == set(odd)
    assert (found[0]["value"], found[0]["point"]) == ("🏠", 1.0)


@pytest.mark.parametrize("text", ["{", "[1]", '{"device":2}', "device=2"])
def test_facts_that_are_not_texts_by_name_are_refused(text):
    scores = scores_of([1, 2], ["live", "live"], [False, False], [{}, {}])
    with pytest.raises(DataError, match="is not a JSON object of texts"):
        slices.compute(replace(scores, about=np.array([text, ""], object)), 0.5)


def test_a_video_keeps_what_all_its_frames_agree_on(make_scores):
    scores = make_scores("M", subjects=2, frames=3)
    about = [
        {"device": "1", "frame": str(i % 3), "light": "on" if i % 3 else "off"} for i in range(len(scores))
    ]
    videos = replace(scores, about=np.array([to_text(facts) for facts in about], object)).per_video()
    assert set(videos.about) == {'{"device":"1"}'}


def test_the_file_of_scores_has_the_column_only_if_something_is_known(make_scores):
    scores = make_scores("M", subjects=2)
    assert "about" not in Scores.from_parquet(scores.to_parquet()).to_parquet().decode("latin-1")
    told = replace(scores, about=np.array(['{"room":"Büro 🏠"}', *[""] * (len(scores) - 1)], object))
    again = Scores.from_parquet(told.to_parquet())
    assert again.about.tolist() == told.about.tolist()


def test_a_million_rows_take_seconds():
    n = 1_000_000
    rng = np.random.default_rng(0)
    texts = np.array(
        [to_text({"device": f"d{d}", "light": f"l{k}"}) for d in range(40) for k in range(8)], object
    )
    people_ = np.array([f"T-{s}" for s in range(5000)], object)[rng.integers(5000, size=n)]
    name, one = np.array([f"v{i}" for i in range(n)], object), np.full(n, "T", object)
    label = rng.integers(2, size=n)
    kind = np.where(label == 1, "live", np.array(["print", "replay"], object)[rng.integers(2, size=n)])
    scores = Scores(name, one, one, people_, name, kind, label, rng.random(n), texts[rng.integers(320, size=n)])
    start = time.perf_counter()
    found = slices.compute(scores, 0.5)
    assert time.perf_counter() - start < 20
    assert found is not None
    assert found["compared"] == 3 * (40 + 8)
