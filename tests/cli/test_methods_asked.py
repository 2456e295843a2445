"""The plan of `rfmeta leave-one-out --methods …`: a wrong list and methods that do not go with the settings."""

from __future__ import annotations

import pytest

PLAN = ("loo", "run.yaml", "--dry-run", "--methods")


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ("all,rfmeta", "--methods all,rfmeta names methods beside all"),
        ("madg", "--methods names 'madg', and there is no such method; did you mean maddg?"),
        ("rfmeta,", "--methods names '', and there is no such method; use one of: rfmeta"),
    ],
)
def test_a_wrong_list_is_told_in_one_line(rfmeta, config, monkeypatch, methods, words):
    monkeypatch.chdir(config.parent)
    ending = rfmeta(*PLAN, methods)
    assert ending.code == 2
    assert words in ending.error


def test_each_method_that_cannot_be_trained_has_one_line_and_costs_no_other(rfmeta, config, monkeypatch):
    monkeypatch.chdir(config.parent)
    ending = rfmeta(*PLAN, "rfmeta,reptile,ms_lbp,ida", "--set", "data.view=patches", "--seeds", "0,1")
    assert ending.code == 0
    said = [line for line in ending.err.splitlines() if "cannot be trained" in line]
    assert [line.split(", but")[0] for line in said] == [
        f"{name} cannot be trained, which leaves out 8 runs: configuration: data.view=patches"
        for name in ("ms_lbp", "ida")
    ]
    assert "reptile has work for one worker at most" in ending.err
    assert "16 runs (4 targets × 2 methods × 2 seeds)" in ending.err
