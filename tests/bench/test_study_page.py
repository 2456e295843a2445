"""The page says what the numbers say: also of part of a study, and of none."""

import json

import pytest

from bench.study import collect, plots
from bench.study.design import DOMAINS, Arm, Cell, Grid, Question
from bench.study.page import page, verdict
from tests.studies import SMALL

GRID = Grid(rhos=(0.5,), methods=("plain", "no_meta", "rfmeta"), seeds=(0, 1), trained=("named",))
BOTH = Grid(rhos=(0.5,), methods=("no_meta", "rfmeta"), seeds=(0, 1))


def results(folder, grid=GRID):
    return collect.collect(grid, SMALL, folder, "python -m bench.study", {}, "1a2b3c")


def fill(write_row, qualities, targets=DOMAINS, grid=GRID, drawn=0.0):
    """Every training's row, with a quality by rule; `drawn` is added to it on drawn domains."""
    for question in grid.questions:
        if question.target in targets and question.method in qualities:
            for cell in question.cells:
                chosen = cell.alpha in (None, 1e-2)
                quality = qualities[question.method] + drawn * (question.trained == "drawn")
                write_row(cell, 0.9 if chosen else 0.8, quality if chosen else None)


def test_nothing_is_there(tmp_path):
    text = page(results(tmp_path), plots.draw(results(tmp_path), tmp_path))
    assert "Nothing can be compared yet" in text
    assert "32 trainings and 24 evaluations on targets are missing" in text
    assert "![" not in text


def test_the_page_says_which_commit_made_the_data(tmp_path):
    assert "made by commit 1a2b3c: check it out" in " ".join(page(results(tmp_path), []).split())


def test_a_part_is_there(tmp_path, write_row):
    fill(write_row, {"plain": 1.0, "no_meta": 1.0}, targets="OC")
    write_row(Cell(Question(0.5, "rfmeta", "O", 0), 1e-3), 0.99)  # not all α are there, so none is chosen
    found = results(tmp_path)
    text = page(found, [])
    assert "**Incomplete**: 23 trainings and 16 evaluations on targets are missing" in text
    row = next(line for line in text.splitlines() if line.startswith("| no_meta |"))
    assert row.count("[") == 2
    assert row.endswith("| – | – | – |")  # neither → I, → M nor a mean over targets
    assert not [q for q in found.chosen if q.method == "rfmeta"]
    json.dumps(found.as_json(), allow_nan=False)


def test_equal_rules_are_said_not_to_differ(tmp_path, write_row):
    fill(write_row, {"plain": 1.0, "no_meta": 1.0, "rfmeta": 1.0})
    text = verdict(results(tmp_path))
    assert "None of 3 comparisons of AUC is significant" in text
    assert "corrected p = 1: not significant" in text
    assert ": significant" not in text


def test_a_better_rule_is_said_to_be_better_and_a_worse_one_worse(tmp_path, write_row):
    fill(write_row, {"plain": 1.0, "no_meta": 1.0, "rfmeta": 2.5})
    text = page(results(tmp_path), [])
    assert "**2 of 3 comparisons of AUC are significant**" in text
    assert "rfmeta" in text.split("significant")[1]
    assert "points above no_meta" in text
    assert "The other 1 are not significant" in text
    hter = next(line for line in text.splitlines() if "less is better" in line)
    rfmeta = text.split(hter)[1].splitlines()[2:5]
    assert [line for line in rfmeta if "rfmeta" in line and "| −" in line]  # fewer errors


def test_the_chosen_inner_rates_are_counted(tmp_path, write_row):
    fill(write_row, {"plain": 1.0, "no_meta": 1.0, "rfmeta": 1.0})
    assert "| rfmeta | 0 / 8 / 0 |" in page(results(tmp_path), [])


def test_one_training_on_drawn_domains_answers_for_every_target(tmp_path, write_row):
    fill(write_row, {"no_meta": 1.0, "rfmeta": 1.0}, grid=BOTH)
    found = results(tmp_path, BOTH)
    assert (found.untrained, found.unjudged) == (0, 0)
    drawn = [name for name in found.rows if "drawn" in name]
    assert len(drawn) == 2 + 3 + 1  # no_meta with both seeds; rfmeta with each inner rate, then with the chosen
    assert {run.target for run in found.of(Arm(0.5, "drawn", "rfmeta"))} == set(DOMAINS)
    rows = {
        row["method"]: row for row in found.as_json()["rows"] if row["trained"] == "drawn" and row["chosen"]
    }
    assert all(set(row["on_target"]) == set(DOMAINS) and row["target"] is None for row in rows.values())
    text = page(found, [])
    assert "| rfmeta | 0 / 8 / 0 | 0 / 2 / 0 |" in text


def test_what_drawn_domains_are_worth_is_said_for_each_rule(tmp_path, write_row):
    fill(write_row, {"no_meta": 1.0, "rfmeta": 1.0}, grid=BOTH, drawn=1.5)
    text = page(results(tmp_path, BOTH), plots.draw(results(tmp_path, BOTH), tmp_path))
    assert "**2 of 4 comparisons of AUC are significant**" in text
    assert "rfmeta on drawn domains" in text
    assert "points above rfmeta on named ones" in " ".join(text.split())
    assert [line for line in text.splitlines() if line.startswith("| 0.5 | drawn | no_meta | named domains |")]


def test_plots_are_svg_and_the_same_bytes_for_the_same_numbers(tmp_path, write_row):
    fill(write_row, {"plain": 1.0, "no_meta": 1.0, "rfmeta": 1.5})
    names = plots.draw(results(tmp_path), tmp_path / "a")
    assert names == plots.draw(results(tmp_path), tmp_path / "b") == ["auc.svg", "differences.svg"]
    for name in names:
        content = (tmp_path / "a" / name).read_bytes()
        assert content == (tmp_path / "b" / name).read_bytes()
        assert b"rfmeta" in content


def test_hours_count_what_ran_at_the_same_time_once():
    rows = [{"started": 0, "ended": 1800}, {"started": 900, "ended": 2700}, {"started": 7200, "ended": 9000}]
    assert collect.hours(rows) == pytest.approx(1.25)
