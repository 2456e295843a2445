"""The page of a comparison: it nests, fits a phone, has no scripts, and shows hostile names as text."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from re import DOTALL, findall

import pytest

from rfmeta_dist.report import comparison, comparison_page, comparison_text, contestants
from tests.compared import write_run
from tests.report.looking import Outline, overflow

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    place = tmp_path_factory.mktemp("runs")
    runs = [
        str(write_run(place / f"{method}-{target}", method, target, quality=quality))
        for method, quality in (("no_meta", 0.6), ("rfmeta", 1.4))
        for target in "CM"
    ]
    found = contestants.read(runs, [f"{place}/rfmeta-*={EVIL}"])
    return comparison_page.page(comparison.compare(found, ["HTER", "AUC"]), found)


def test_the_page_is_well_formed_and_shows_names_as_text(html):
    assert Outline(html).open == []
    assert EVIL not in html
    assert "&lt;script&gt;" in html
    for drawing in findall(r"<svg .*?</svg>", html, flags=DOTALL):
        ET.fromstring(drawing)
    ids = findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) > 0


def test_the_winner_is_bold_and_the_verdict_stands_first(html):
    assert html.index("better, significant at 95 %") < html.index("<h2>")
    assert "<b>" in html.partition("<h2>Figures")[2].partition("<h2>")[0]
    assert "not comparable with generated domains" not in html  # these are two targets, not the papers' four


@pytest.mark.skipif(shutil.which("chromium") is None, reason="looks at the page in Chromium")
def test_the_page_is_not_wider_than_a_phone(html, tmp_path):
    assert overflow(html, tmp_path) == 0


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (-0.0004, 0.1, "[−0.04, 10.0]"),
        (0.000004, 0.05, "[0.0, 5.0]"),
        (-0.1, 0.0, "[−10.0, 0.0]"),
        (0.00004, 0.05, "[0.004, 5.0]"),
    ],
)
def test_an_end_of_an_interval_near_0_shows_its_side(low, high, shown):
    from rfmeta_dist.evaluation.decisions import Verdict
    from rfmeta_dist.evaluation.paired import Estimate

    verdict = Verdict(0.05, 0.05, low, high, significant=low > 0)
    difference = comparison.Difference("AUC", "a", "b", "M", ["M"], 1, Estimate(0.02, 0.01, 9, 10), verdict)
    made = comparison.Comparison([], [], {}, [], [], [difference], [], False, [])
    assert comparison_text.difference_rows([difference], made)[0][4] == f"+2.0 {shown}"
