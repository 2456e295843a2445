"""The page that shows why a run decides as it does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.cli.run import write_report
from rfmeta_dist.cluster.explaining import explain_here
from rfmeta_dist.evaluation.explain import Explanation
from rfmeta_dist.report import explanation, overlays
from tests.explained import configured, judged, publish
from tests.report.looking import Outline, overflow

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    """A run, and another beside it."""
    folder = tmp_path_factory.mktemp("explained")
    prefix = publish(folder / "shards")
    runs = [judged(configured(folder, prefix, name), seed) for seed, name in enumerate(("one", "other"))]
    return explain_here(runs)


@pytest.fixture(scope="module")
def html(found: Explanation) -> str:
    return explanation.render(found)


def test_the_worst_mistakes_come_first(html: str, found: Explanation):
    for kind, section in zip(("live", "print"), re.split(r"<h2>(?:Live faces|Attacks)", html)[1:], strict=True):
        worst = section.partition("<h3>Worst first</h3>")[2].partition("<h3>Typical</h3>")[0]
        keys = re.findall(r"<code>(D-\S+)</code>", worst)
        score = dict(zip(found.sides[0].scores.key.tolist(), found.sides[0].scores.score.tolist(), strict=True))
        of_kind = found.sides[0].scores.select(found.sides[0].scores.attack_type == kind).score
        scores = [score[key] for key in keys]
        assert len(keys) == 4
        assert scores == sorted(scores, reverse=kind == "print")
        assert scores[0] == (of_kind.min() if kind == "live" else of_kind.max())
        assert f"score {scores[0]:.3f}" in worst


def test_each_face_has_the_maps_of_both_runs_and_both_depths(html: str, found: Explanation):
    outline = Outline(html)
    alternatives = [image["alt"] for image in outline.all("img")]
    assert all(alternatives)
    for picture in found.pictures:
        key = picture.chosen.key
        for words in (
            f"Class activation map of {key}, run one",
            f"Class activation map of {key}, run other",
            f"Predicted depth of {key}",
            f"Depth label of {key}",
        ):
            assert words in alternatives
    plots = [a["aria-label"] for a in outline.all("figure") if a.get("class") == "plot"]
    assert [label.split()[2] for label in plots] == ["A,", "B,", "D,"] * 2


def test_the_page_says_what_it_cannot_show(html: str, found: Explanation):
    text = " ".join(re.sub("<[^>]+>", "", html).split())
    for words in (
        "shows faces of D",
        "biometric data",
        "chosen by a rule, not by hand",
        "not why",
        "2×2 places",
        "seen the whole face",
        "looks better than it is",
        "cannot be seen",
    ):
        assert words in text, words
    shares = found.points.principal.shares
    assert f"show {100 * sum(shares):.1f}" in text


def test_the_page_is_one_file_without_scripts_and_fits_a_phone(html: str, tmp_path: Path):
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    assert overflow(html, tmp_path) == 0


def test_names_are_escaped(found: Explanation):
    evil = replace(found, target=EVIL, sides=(replace(found.sides[0], name=EVIL), found.sides[1]))
    page = explanation.render(evil)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert Outline(page).open == []


def test_a_network_with_a_single_place_gets_no_maps(tmp_path: Path):
    folder = judged(configured(tmp_path, publish(tmp_path / "shards"), image_size=32))
    page = explanation.render(explain_here([folder]))
    assert "cannot say where evidence lies" in page
    assert "Class activation map" not in page
    assert "Depth label of" in page


def test_the_report_links_to_an_explanation_that_is_there(tmp_path: Path):
    folder = judged(configured(tmp_path, publish(tmp_path / "shards")))
    write_report(folder)
    assert "explanation.html" not in folder.read("report.html").decode()
    folder.write(explanation.PAGE, b"")
    write_report(folder)
    assert '<a href="explanation.html">' in folder.read("report.html").decode()
    write_report(folder, tmp_path / "elsewhere.html")
    assert "explanation.html" not in (tmp_path / "elsewhere.html").read_text()


def test_blue_speaks_for_live_and_orange_for_an_attack():
    import base64

    import simplejpeg

    values = np.full((32, 32), 1.0)
    values[:, 16:] = -1.0
    values[:8] = np.nan
    uri = overlays.evidence(np.full((64, 64, 3), 128, np.uint8), values, full=1.0)
    picture = simplejpeg.decode_jpeg(base64.b64decode(uri.partition(",")[2])).astype(int)
    red, _, blue = (picture[:, :, c] for c in range(3))
    live, attack, nothing = (slice(80, None), slice(0, 80)), (slice(80, None), slice(112, None)), slice(0, 30)
    assert (blue[live] > red[live] + 80).all()
    assert (red[attack] > blue[attack] + 80).all()
    assert (abs(picture[nothing] - 128) < 6).all()
