"""Which frames are shown and summarised follows a rule: worst first, each recording once, people in turn."""

from __future__ import annotations

from collections import Counter

import numpy as np

from rfmeta_dist.evaluation import chosen
from rfmeta_dist.evaluation.chosen import RECORDINGS, to_show, to_summarise
from tests.evaluation.conftest import LOGIT


def test_the_worst_come_first_and_each_person_once(make_scores):
    scores = make_scores("M", subjects=12, frames=5, shift=0.5)
    row = {key: i for i, key in enumerate(scores.key.tolist())}
    shown = to_show(scores)
    assert list(dict.fromkeys(one.kind for one in shown)) == ["live", "print", "replay"]
    for kind in LOGIT:
        of_kind = scores.score[scores.attack_type == kind]
        worst = [row[one.key] for one in shown if (one.kind, one.group) == (kind, "worst")]
        typical = [row[one.key] for one in shown if (one.kind, one.group) == (kind, "typical")]
        values = scores.score[worst] if kind == "live" else -scores.score[worst]
        assert len(worst) == 4
        assert (np.diff(values) >= 0).all(), "not the worst first"
        assert scores.score[worst[0]] == (of_kind.min() if kind == "live" else of_kind.max())
        assert len({scores.subject[i] for i in worst}) == 4
        assert len({scores.video[i] for i in worst + typical}) == 6
        # No other recording has a frame nearer to the median than the nearest of the typical ones.
        others = ~np.isin(scores.video, scores.video[worst]) & (scores.attack_type == kind)
        distance = np.abs(scores.score - np.median(of_kind))
        assert distance[typical].min() == distance[others].min()


def test_the_choice_does_not_depend_on_the_order_of_rows(make_scores):
    scores = make_scores("M", subjects=7)
    mixed = scores.select(np.random.default_rng(0).permutation(len(scores)))
    assert to_show(mixed) == to_show(scores)
    assert to_summarise(mixed).key.tolist() == to_summarise(scores).key.tolist()


def test_few_recordings_are_all_shown(make_scores):
    shown = to_show(make_scores("M", subjects=2, frames=1))
    assert Counter((one.kind, one.group) for one in shown) == {(kind, "worst"): 2 for kind in LOGIT}


def test_one_frame_of_each_recording_is_summarised_and_of_many_recordings_some(make_scores, monkeypatch):
    scores = make_scores("AB", subjects=15, frames=5)
    found = to_summarise(scores)
    assert len(found) == 2 * 15 * 3
    assert {key.rsplit("-", 1)[1] for key in found.key.tolist()} == {"2"}  # the middle one of five
    assert RECORDINGS >= 100
    monkeypatch.setattr(chosen, "RECORDINGS", 4)
    some = to_summarise(scores)
    assert Counter(zip(some.domain, some.attack_type, strict=True)) == {(d, k): 4 for d in "AB" for k in LOGIT}
    people = [int(name[-2:]) for name in some.subject[(some.domain == "A") & (some.attack_type == "live")]]
    assert people == [0, 5, 9, 14]
