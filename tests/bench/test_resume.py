"""What is done is not done again, and never mixed with other settings or other data."""

import json
import shutil
from dataclasses import replace

import pytest

from bench.study import __main__ as command
from bench.study import collect, trial
from bench.study.data import generate, scale_of
from bench.study.design import Cell, Grid, Question, data_folder
from rfmeta_dist.core.errors import RunError
from tests.studies import SMALL

PLAIN = Cell(Question(0.5, "plain", "M", 0), None)


def state(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.drill
def test_a_study_killed_in_between_goes_on_and_changes_nothing_that_was_done(generated, tmp_path, monkeypatch):
    """The whole command, on Ray: trains the missing training, judges, and the second time runs nothing."""
    shutil.copytree(generated / "data", tmp_path / "data")
    trial.train_cell(PLAIN, SMALL, tmp_path, lambda _: None)
    half = Cell(Question(0.5, "no_meta", "M", 0), None)
    trial.train_cell(half, SMALL, tmp_path, lambda _: None)
    (tmp_path / "runs" / half.name / "row.json").unlink()  # killed just before its row
    before = state(tmp_path / "runs" / PLAIN.name)
    options = {
        "rhos": "0.5", "methods": "plain,no_meta", "targets": "M", "seeds": 0, "folder": tmp_path, "slots": 2,
        "trained": "named",
        "page": tmp_path / "study.md", "out": tmp_path / "study.json", **vars(SMALL),
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["study", *arguments])
    assert command.main() == 0
    after = state(tmp_path / "runs" / PLAIN.name)
    assert {path: after[path] for path in before if path.name != "ledger.jsonl"} == {
        path: time for path, time in before.items() if path.name != "ledger.jsonl"
    }
    results = json.loads((tmp_path / "study.json").read_text())
    assert results["missing"] == {"trainings": 0, "looks_at_targets": 0}
    assert len(results["rows"]) == 2
    assert all(row["chosen"] and row["on_target"] for row in results["rows"])
    whole = state(tmp_path / "runs")
    assert command.main() == 0
    assert state(tmp_path / "runs") == whole


def test_a_training_is_the_same_whenever_it_is_made(generated, tmp_path):
    rows = []
    for place in (tmp_path / "a", tmp_path / "b"):
        shutil.copytree(generated / "data", place / "data")
        trial.train_cell(PLAIN, SMALL, place, lambda _: None)
        rows.append(trial.read_row(PLAIN, SMALL, place))
    assert rows[0]["losses"] == rows[1]["losses"]
    assert rows[0]["validation"] == rows[1]["validation"]


def test_rules_of_one_seed_start_alike_and_see_the_same_batches(generated):
    """`plain` is `no_meta` without depth, so their first classification losses are equal."""
    first = {}
    for method in ("plain", "no_meta"):
        cell, folder = Cell(Question(0.5, method, "M", 1), None), generated / method
        shutil.copytree(generated / "data", folder / "data")
        trial.train_cell(cell, replace(SMALL, steps=1), folder, lambda _: None)
        first[method] = trial.read_row(cell, replace(SMALL, steps=1), folder)["losses"]
    assert first["plain"]["cls"] == first["no_meta"]["cls"]
    assert first["plain"]["loss"] == pytest.approx(first["plain"]["cls"])
    assert first["no_meta"]["loss"] > first["no_meta"]["cls"]


def test_other_settings_are_refused_and_named(generated, tmp_path, write_row):
    write_row(PLAIN, 0.9)
    with pytest.raises(RunError, match="steps=3, not 4") as refused:
        trial.read_row(PLAIN, replace(SMALL, steps=4), tmp_path)
    assert "--steps 3" in refused.value.remedy


def test_data_that_is_there_is_kept_and_another_scale_refused(generated):
    generate(generated, (0.5,), scale_of("tiny", SMALL.size), None)  # without Ray: there is nothing to do
    with pytest.raises(RunError, match="made with scale"):
        generate(generated, (0.5,), scale_of("tiny", 64), None)


def test_data_of_two_states_of_the_generator_is_never_mixed(generated, tmp_path, monkeypatch):
    shutil.copytree(data_folder(generated, 0.5) / "O", data_folder(tmp_path, 0.5) / "O")
    monkeypatch.setattr("rfmeta_dist.synth.output.generate._code", lambda: "another")
    with pytest.raises(RunError, match="generator has changed"):
        generate(tmp_path, (0.5,), scale_of("tiny", SMALL.size), None)
    generate(generated, (0.5,), scale_of("tiny", SMALL.size), None)  # whole data is kept as it is


def test_the_whole_design_is_310_trainings_with_names_of_their_own(tmp_path, write_row):
    first = collect.to_train(Grid(), SMALL, tmp_path)
    assert len(first) == 190  # all of the first seed, and what has no α of the others
    for cell in first:
        write_row(cell, 0.9)
    then = collect.to_train(Grid(), SMALL, tmp_path)
    assert {cell.question.seed for cell in then} == {1, 2, 3, 4}
    assert len({cell.name for cell in first + then}) == 310
