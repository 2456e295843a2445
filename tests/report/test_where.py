"""The section "Where it fails" of a run's page: worst first, the rest folded, absent if nothing is known."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.about import to_text
from rfmeta_dist.evaluation import figures
from rfmeta_dist.report.page import render
from rfmeta_dist.report.records import read_record
from tests.report.looking import Outline, overflow

BAD = "<script>alert(1)</script>" + "long" * 30


@pytest.fixture(scope="module")
def told(run_files, evaluation, scores_of) -> dict[str, bytes]:
    """The files of a run that rejects every live person before one of twelve cameras."""
    target = scores_of("M", "test", 0.8, subjects=40)
    number = np.array([int(name.split("/s")[1]) for name in target.subject])
    about = [
        {"device": BAD if n % 2 else "good", "room": f"r{n % 12}", "serial": f"{n}"} for n in number.tolist()
    ]
    score = np.where((number % 2 == 1) & (target.label == 1), 0.0, target.score)
    target = replace(target, score=score, about=np.array([to_text(facts) for facts in about], object))
    found = figures.compute(scores_of("OCI", "validation", 0), target, seed=0, resamples=50)
    return {**run_files, "evaluation.json": json.dumps({**evaluation, "figures": found}).encode()}


@pytest.fixture(scope="module")
def html(told) -> str:
    return render(read_record(told.__getitem__))


def section(html: str) -> str:
    return html.partition("<h2>Where it fails</h2>")[2].partition("</section>")[0]


def test_the_worst_part_leads_in_words_and_the_rest_is_folded(html):
    text = section(html)
    assert "1 is higher than in all recordings by more than chance explains" in text
    shown, folded = text.split("<details>")
    assert shown.count('<th scope="row">') == 10
    number = folded.count('<th scope="row">')
    assert f"<summary>{number} more rows</summary>" in folded
    first = shown.split('<th scope="row">')[1]
    assert all(part in first for part in ("device", "live rejected", "20 of 20", "20 people", ">worse<"))
    assert "few" in folded  # rooms with three or four people each
    assert "of “serial” are left out, because each would describe a single person" in text


def test_text_of_the_data_is_escaped_and_elements_nest(html):
    assert "<script" not in html
    assert "&lt;script&gt;" in section(html)
    Outline(html)


def test_nothing_is_shown_where_nothing_is_known(run_files):
    assert "Where it fails" not in render(read_record(run_files.__getitem__))


def test_long_values_do_not_make_the_page_wider_than_a_phone(html, tmp_path):
    import shutil

    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed")
    assert overflow(html, tmp_path) == 0
