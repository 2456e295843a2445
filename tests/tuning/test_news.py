"""Decisions are told in words, each once."""

from __future__ import annotations

from rfmeta_dist.config.load import check
from rfmeta_dist.tuning import news
from tests.tuning.studies import World, base, result, study


def test_each_decision_is_told_once():
    given = study(
        base=check(base(steps=40), "test"), search={"candidates": 4, "batch": 2, "rungs": [10], "keep": 0.5}
    )
    found = World(given, lambda *_: result(0.3))
    numbers = {World.key_of(c): c.number for c in found.plan.shared}
    found.value = lambda values, *_: result(0.4 - numbers[values] / 10)
    told, before = [], None
    while stretches := found.wanted():
        found.train(stretches[0])
        now = found.view("M")
        told += news.lines(given, before, now)
        before = now
    assert told == [
        "target M, candidates 0, 1: after step 10 these go on: candidates 0, 1",
        "target M, candidates 0, 1: decided; the best so far is candidate 1, HTER 30.0 % over its folds",
        "target M, candidates 2, 3: after step 10 these go on: candidate 3",
        "target M, candidates 2, 3: decided; the best so far is candidate 3, HTER 10.0 % over its folds",
    ]
