"""The page of an attempt to retrain says what became of it and why, and escapes what comes from the data."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import Any

import pytest

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.report.retraining import OUTCOMES, difference, render
from rfmeta_dist.retrain.arrivals import Finding
from rfmeta_dist.retrain.attempts import Asked
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.pairs import Pairs
from tests.report.looking import Outline, overflow
from tests.retrain.pairs_made import frozen, made, new

BAD = "<script>alert(1)</script>" + "long" * 30
FOUND = Finding("labels", "refuse", "O", BAD, f"the champion contradicts labels of batch '{BAD}'.", {"n": 1})
ASKED = asdict(
    Asked(
        number=3,
        reasons=("240 new videos have landed", f"the domain {BAD} is new"),
        pins={"O": "a" * 64, "C": "b" * 64},
        code="0.1 c0ffee",
        configuration="d" * 64,
        champion={"number": 2, "attempt": "runs/a2", "since": "", "decided": ""},
        forced=1,
        seed=7,
        batches={"O": [BAD, "old"]},
        new_batches={"O": [BAD]},
        started="2025-11-23T20:45:00+00:00",
    )
)
OLD = {LIVE: (400, 4, 4), "print": (400, 4, 4), "replay": (400, 4, 4)}
GAIN = {LIVE: (120, 0, 0), "mask": (240, 70, 2)}
PAIRS = {
    "promoted": made([*frozen(OLD), *new(GAIN)]),
    "refused": made([*frozen({**OLD, "print": (400, 0, 60)}), *new(GAIN)]),
    "undecided": made([*frozen(OLD), *new({LIVE: (20, 0, 0), "mask": (20, 2, 1)})]),
}


def verdict_on(pairs: Pairs) -> dict[str, Any]:
    """The verdict as it is read from its file."""
    found: dict[str, Any] = json.loads(json.dumps(judge(pairs, Gate()).as_dict()))
    return found


def attempt(outcome: str, **other: Any) -> dict[str, Any]:
    verdict = verdict_on(PAIRS[outcome]) if outcome in PAIRS else None
    why = verdict["sentence"] if verdict else FOUND.words
    return {
        "name": "door",
        "folder": "s3://bucket/retrain/door/attempts/3-ab",
        "asked": ASKED,
        "intake": {"findings": [FOUND.as_dict()], "before": {LIVE: {"videos": 120, "wrong": 3}}},
        "verdict": verdict,
        "audit": "f" * 64,
        "outcome": {"outcome": outcome, "why": why, "ended": "2025-11-23T22:00:00+00:00", "version": 3},
    } | other


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(attempt(name)) for name in OUTCOMES if name}


def header(html: str) -> str:
    return html.partition("<header>")[2].partition("</header>")[0]


@pytest.mark.parametrize("outcome", [name for name in OUTCOMES if name])
def test_every_outcome_has_a_page_whose_first_sentence_says_it(pages, outcome):
    html = pages[outcome]
    assert f">{OUTCOMES[outcome]}.</p>" in header(html)
    assert "version 2" in header(html)
    assert "240 new videos have landed." in html
    Outline(html)


@pytest.mark.parametrize("outcome", PAIRS)
def test_the_verdict_is_that_of_the_gate_and_its_reason_leads(pages, outcome):
    verdict = verdict_on(PAIRS[outcome])
    assert verdict["decision"] == outcome
    assert verdict["sentence"][:60] in header(pages[outcome])
    assert verdict["scores"] in pages[outcome]
    for row in verdict["tests"]:
        assert f"{row['test']}, {row['of']}<" in pages[outcome]
        assert f"{row['videos']} {row['on']} of {row['subjects']} people" in pages[outcome]


def test_what_harms_is_named_and_what_is_missing_is_counted(pages):
    assert "significantly more errors on <strong>print in O</strong>" in pages["refused"]
    assert "warning" not in pages["promoted"].partition("<body>")[2]
    missing = pages["undecided"].partition("What would decide")[2].partition("</ul>")[0]
    assert "It is not shown that the challenger makes fewer errors on the new videos." in missing
    assert "more such videos, of" in missing
    assert "What would decide" not in pages["promoted"]


def test_a_stopped_attempt_shows_its_findings_and_no_verdict(pages):
    assert "The champion contradicts labels of batch" in pages["stopped"]
    assert "3 of 120" in pages["stopped"]
    assert "The gate" not in pages["stopped"]
    assert "scores.parquet" not in pages["stopped"]


def test_what_was_not_found_is_said():
    html = render(attempt("promoted", intake={"findings": [], "before": {}}))
    assert "no flipped labels" in html
    assert "before training</h3>" not in html


def test_an_attempt_that_has_just_begun_has_a_page():
    html = render({"asked": {**ASKED, "champion": None}})
    assert OUTCOMES[""] in html
    Outline(html)


def test_the_foot_names_the_jobs_that_worked_on_it():
    assert ", trace job-1, job-2.</footer>" in render(attempt("promoted", traces=["job-1", "job-2"]))


def test_drift_is_told_with_its_blind_spots():
    blind = "Scores do not show an attack that passes."
    drift = {"sentence": "no drift, PSI 0.03", "notes": [f"{BAD} was left out."], "blind": [blind]}
    html = render(attempt("promoted", drift=drift))
    assert "No drift, PSI 0.03." in html
    assert blind in html
    assert "<script" not in html


def test_text_of_the_data_is_escaped_and_nothing_is_loaded(pages):
    for html in pages.values():
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        outline = Outline(html)
        assert not [tag for tag in ("script", "link", "img", "iframe") if outline.all(tag)]
        ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
        assert len(ids) == len(set(ids))


def test_intervals_hold_the_rate_and_the_plot_says_what_it_shows(pages):
    html = pages["promoted"]
    assert 'aria-label="new test videos: live: champion' in html
    rates = {row["type"]: row for row in verdict_on(PAIRS["promoted"])["rates"] if row["part"] == "new"}
    assert rates["mask"]["champion"] == pytest.approx(70 / 240)
    assert "29.2" in html
    assert "reviewed batches only" not in html  # the same videos as the part before


def test_points_have_their_sign():
    assert [difference(x) for x in (5.0, -2.0, 0.0, 0.01, -0.01)] == ["+5.0", "−2.0", "0.0", "0.0", "0.0"]


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_it_fits_a_phone(pages, tmp_path):
    assert overflow(pages["refused"], tmp_path) == 0
