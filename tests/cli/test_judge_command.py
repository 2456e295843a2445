"""`rfmeta judge` gives the figures of anyone's scores, and on a mistake one line, an exit code and no page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from tests.report.looking import Outline, overflow
from tests.score_tables import LINES, TABLE

CONFIG, DATA, STORAGE = 2, 3, 4


@pytest.fixture
def table(tmp_path):
    """Scores of 12 people with 4 frames of each recording, on the scale of logits."""
    rng = np.random.default_rng(0)
    rows = ["video,subject,label,attack_type,split,score,frame"]
    for person in range(12):
        split = "validation" if person < 6 else "test"
        for kind, centre in (("", 2.0), ("print", -3.0), ("replay", 0.0)):
            for frame in range(4):
                score = centre + rng.normal(0, 1.5)
                name, label = f"{person}-{kind or 'live'}", "attack" if kind else "live"
                rows.append(f"{name},p{person},{label},{kind},{split},{score:.6f},{frame}")
    (tmp_path / "scores.csv").write_text("\n".join(rows))
    return tmp_path / "scores.csv"


def test_scores_are_judged_at_each_operating_point(rfmeta, table):
    found = json.loads(rfmeta("judge", table, "--json").out)
    assert found["figures"].keys() == {"frame", "video"}
    video = found["figures"]["video"]
    assert video["counts"] == {"live": 6, "attack": 12, "subjects": 6, "videos": 18}
    assert video["HTER"]["low"] <= video["HTER"]["value"] <= video["HTER"]["high"]
    assert video["threshold"]["operating_point"] == "eer"
    strict = json.loads(rfmeta("judge", table, "--operating-point", "bpcer@apcer1", "--json").out)
    chosen = strict["figures"]["video"]
    assert chosen["validation"]["FAR"] == 0
    assert "needs at least 100 recordings" in chosen["threshold"]["unresolved"]
    assert any("needs at least 100 recordings" in note for note in strict["notes"])


def test_turned_scores_give_the_same_rates_and_thresholds_as_they_are_in_the_table(rfmeta, table):
    found = json.loads(rfmeta("judge", table, "--json").out)["figures"]
    head, *rows = table.read_text().splitlines()
    turned = [",".join([*r[:5], str(-float(r[5])), r[6]]) for r in (row.split(",") for row in rows)]
    table.write_text("\n".join([head, *turned]))
    again = json.loads(rfmeta("judge", table, "--higher-is", "attack", "--json").out)
    assert again["higher_is"] == "attack"
    for unit in ("frame", "video"):
        for name in ("HTER", "FAR", "BPCER", "ACER", "AUC", "APCER", "APCER_worst", "BPCER_at_APCER"):
            assert again["figures"][unit][name] == found[unit][name]
        assert again["figures"][unit]["threshold"]["value"] == -found[unit]["threshold"]["value"]
        assert again["figures"][unit]["threshold"]["accepts"] == "at most"
    fixed = json.loads(rfmeta("judge", table, "--higher-is", "attack", "--threshold", "0.5", "--json").out)
    assert "The validation rows were not used, because --threshold is given." in fixed["notes"]
    accepted = [float(r.split(",")[5]) <= 0.5 for r in turned if ",test," in r and ",attack," in r]
    assert fixed["figures"]["frame"]["FAR"]["value"] == pytest.approx(np.mean(accepted))


@pytest.mark.parametrize("how", [(), ("--higher-is", "attack")])
def test_the_page_holds_every_figure_fits_a_phone_and_loads_nothing(rfmeta, table, tmp_path, how):
    if how:
        text = re.sub(r",(-?)(\d+\.\d+),", lambda m: f",{'' if m[1] else '-'}{m[2]},", table.read_text())
        table.write_text(text)
    ending = rfmeta("judge", table, *how, "--out", tmp_path / "pages" / "page.html", "--json")
    result = json.loads(ending.out)
    html = (tmp_path / "pages" / "page.html").read_text()
    outline = Outline(html)
    assert not outline.open
    assert not outline.all("script")
    assert len([a for a in outline.all("figure") if a.get("class") == "plot"]) == 5
    assert overflow(html, tmp_path) == 0
    assert result["polarity"] in html
    for unit in ("frame", "video"):
        assert f"{result['figures'][unit]['threshold']['value']:.6g}" in html
        assert result["figures"][unit]["threshold"]["accepts"] in html


def test_without_validation_rows_all_error_rates_are_oracle_figures(rfmeta, table, tmp_path):
    page = tmp_path / "page.html"
    ending = rfmeta("judge", table, "--column", "split=", "--out", page)
    assert "HTER" not in ending.out
    assert "all error rates are oracle figures" in ending.err
    html = page.read_text()
    assert "There is no threshold, so all error rates here are oracle figures" in html
    assert "HONEST" not in html
    figures = json.loads(rfmeta("judge", table, "--column", "split=", "--json").out)["figures"]
    assert figures["video"]["threshold"] is None
    assert not {"HTER", "FAR", "BPCER", "ACER", "APCER"} & figures["video"].keys()


def test_without_people_there_is_no_interval_and_it_is_said(rfmeta, table, tmp_path):
    page = tmp_path / "page.html"
    ending = rfmeta("judge", table, "--column", "subject=", "--out", page)
    assert "does not name the people" in ending.err
    assert "[" not in ending.out
    assert "does not name the people" in page.read_text()
    found = json.loads(rfmeta("judge", table, "--column", "subject=", "--json").out)["figures"]["video"]
    assert (found["HTER"]["low"], found["HTER"]["high"], found["counts"]["subjects"]) == (None, None, None)


@pytest.mark.filterwarnings("error")
def test_names_in_a_table_are_escaped_on_the_page_and_in_the_terminal(rfmeta, table, tmp_path):
    table.write_text(table.read_text().replace("print", "<script>\x1b[31m"))
    page = tmp_path / "page.html"
    ending = rfmeta("judge", table, "--out", page)
    assert "\x1b[31m" not in ending.out
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()


MISTAKES = {
    "no file": (["missing.csv"], STORAGE, ["missing.csv"]),
    "a folder": (["."], CONFIG, [". is a folder, not a file", "a table of scores, such as scores.csv"]),
    "a path of a folder": (["x/"], CONFIG, ["x/ is a folder, not a file"]),
    "no path": ([""], CONFIG, ["the path is empty"]),
    "a page in place of a folder": (["t.csv", "--out", "."], CONFIG, [". is a folder", "such as page.html"]),
    "a page over a folder": (["t.csv", "--out", ".."], CONFIG, [".. is a folder", "such as page.html"]),
    "a column for nothing": (["t.csv", "--column", "person=who"], CONFIG, ["person=who", "subject"]),
    "a column without a name": (["t.csv", "--column", "subject"], CONFIG, ["NAME=COLUMN"]),
    "a column that is not there": (["t.csv", "--column", "subject=who"], DATA, ["no column 'who'", "video"]),
    "a label that is not there": (["t.csv", "--live", "7"], DATA, ["no label", "7", "attack, live"]),
    "a threshold that is no number": (["t.csv", "--threshold", "nan"], CONFIG, ["nan", "finite"]),
    "two thresholds": (["t.csv", "--threshold", "1", "--operating-point", "eer"], CONFIG, ["only one"]),
    "an unknown point": (["t.csv", "--operating-point", "far1"], CONFIG, ["'far1'", "bpcer@apcer1"]),
    "a point without validation": (["t.csv", "--operating-point", "eer", "--column", "split="], DATA, ["--"]),
    "a domain without domains": (["t.csv", "--target", "M"], DATA, ["no column domain"]),
    "splits in two files": (["t.csv", "--validation", "t.csv"], DATA, ["'validation'", "--column split="]),
    "a person in both files": (["test.csv", "--validation", "dev.csv"], DATA, ["p1", "test.csv", "dev.csv"]),
    "turned scores": (["turned.csv"], DATA, ["AUC is 0.0 %", "--higher-is attack"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_line_an_exit_code_and_no_page(
    rfmeta, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(tmp_path)
    head, *rows = [",".join(np.delete(line.split(","), 4)) for line in LINES]
    (tmp_path / "t.csv").write_text(TABLE)
    (tmp_path / "dev.csv").write_text("\n".join([head, *rows[:4]]))
    (tmp_path / "test.csv").write_text("\n".join([head, *rows[4:]]).replace("p3", "p1"))
    turned = {"0.8": "0", "0.6": "0", "0.9": "0", "0.7,": "0,"}
    text = TABLE.replace("0.75", "1")
    for old, new in turned.items():
        text = text.replace(old, new)
    (tmp_path / "turned.csv").write_text(text.replace("validation,0.7", "validation,0"))
    before = sorted(path.name for path in tmp_path.iterdir())
    ending = rfmeta("judge", "--out", "page.html", *arguments)
    assert not [word for word in words if word not in ending.error], ending.error
    assert ending.code == code, ending.error
    assert ending.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == before
