"""The inner rate is chosen on the sources; the target could not be read if one tried."""

import json
import shutil

import pytest

from bench.study import collect, trial, tune
from bench.study.choose import choose
from bench.study.data import plans, scale_of
from bench.study.design import Cell, Grid, Question, data_folder, drawn_names
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.output.generate import render
from tests.studies import SMALL

QUESTION = Question(0.5, "rfmeta", "M", 0)


def a_row(alpha, o=0.5, c=0.5, i=0.5, **more):
    frame = {"O": o, "C": c, "I": i}
    return {"target": "M", "alpha": alpha, "validation": {"frame": frame, "video": {}}, **more}


def test_the_best_mean_over_the_sources_is_taken():
    rows = [a_row(1e-3, 0.9, 0.9, 0.3), a_row(1e-2, 0.8, 0.8, 0.8), a_row(1e-1, 0.7, 0.7, 0.9)]
    assert choose(rows)["alpha"] == 1e-2


def test_of_equals_the_smallest():
    assert choose([a_row(1e-1), a_row(1e-3), a_row(1e-2)])["alpha"] == 1e-3


def test_a_training_that_failed_is_never_taken():
    failed = {"target": "M", "alpha": 1e-1, "failed": "not finite"}
    assert choose([failed, a_row(1e-3, 0.1, 0.1, 0.1)])["alpha"] == 1e-3
    assert choose([failed]) is None


def test_a_row_that_knows_the_target_is_refused():
    row = a_row(1e-3)
    row["validation"]["frame"]["M"] = 0.9
    with pytest.raises(ValueError, match="target M"):
        choose([row])


def test_the_first_seed_chooses_for_the_others(tmp_path, write_row):
    grid = Grid(rhos=(0.5,), methods=("rfmeta",), targets=("M",), seeds=(0, 1), trained=("named",))
    for cell in QUESTION.cells:
        write_row(cell, 0.9 if cell.alpha == 1e-1 else 0.8)
    assert collect.to_train(grid, SMALL, tmp_path) == [Cell(Question(0.5, "rfmeta", "M", 1), 1e-1)]


def test_training_and_choosing_work_where_the_target_does_not_even_exist(generated, tmp_path):
    for name in "OCI":
        shutil.copytree(data_folder(generated, 0.5) / name, data_folder(tmp_path, 0.5) / name)
    grid = Grid(rhos=(0.5,), methods=("rfmeta",), targets=("M",), seeds=(0,), trained=("named",))
    told = []
    for cell in QUESTION.cells:
        trial.train_cell(cell, SMALL, tmp_path, told.append)
    assert sum(told) == 3 * SMALL.steps
    (chosen,) = collect.chosen_rows(grid, SMALL, tmp_path).values()
    rows = [trial.read_row(cell, SMALL, tmp_path) for cell in QUESTION.cells]
    means = {row["alpha"]: sum(row["validation"]["frame"].values()) / 3 for row in rows}
    assert means[chosen["alpha"]] == max(means.values())
    assert all(set(row["validation"]["frame"]) == {"O", "C", "I"} for row in rows)


def test_the_target_is_opened_for_the_chosen_training_alone(generated, tmp_path):
    shutil.copytree(generated / "data", tmp_path / "data")
    grid = Grid(rhos=(0.5,), methods=("first_order",), targets=("M",), seeds=(0,), trained=("named",))
    for cell in collect.to_train(grid, SMALL, tmp_path):
        trial.train_cell(cell, SMALL, tmp_path, lambda _: None)
    (cell,) = collect.to_judge(grid, SMALL, tmp_path)
    trial.judge_cell(cell, SMALL, tmp_path, lambda _: None)
    assert collect.to_judge(grid, SMALL, tmp_path) == []
    opened = {
        ledger.parent.name
        for ledger in (tmp_path / "runs").glob("*/ledger.jsonl")
        if any(json.loads(line)["sealed"] for line in ledger.read_text().splitlines())
    }
    assert opened == {cell.name}
    assert isinstance(cell, Cell)
    results = collect.collect(grid, SMALL, tmp_path, "study", {}, None)
    evaluation = json.loads((tmp_path / "runs" / cell.name / "evaluation.json").read_text())
    assert results.runs[0].value["AUC"] == pytest.approx(evaluation["figures"]["video"]["AUC"]["value"])
    assert results.runs[0].value["HTER"] == pytest.approx(evaluation["figures"]["video"]["HTER"]["value"])


@pytest.mark.drill
def test_one_training_on_drawn_domains_is_judged_on_every_target(generated, tmp_path):
    shutil.copytree(generated / "data", tmp_path / "data")
    planned = plans(0.5, scale_of(SMALL.scale, SMALL.size), SMALL.drawn)
    for name in drawn_names(SMALL.drawn):
        samples = (sample for video in planned[name].videos for sample in render(video))
        pack(samples, open_store(str(data_folder(tmp_path, 0.5))), name, contract=planned[name].contract)
    grid = Grid(rhos=(0.5,), methods=("no_meta",), targets=("O", "M"), seeds=(0,), trained=("drawn",))
    (cell,) = collect.to_train(grid, SMALL, tmp_path)
    trial.train_cell(cell, SMALL, tmp_path, lambda _: None)
    judged = tune.by_name(collect.to_judge(grid, SMALL, tmp_path))  # the tasks that Ray is given
    for cell in judged.values():
        trial.judge_cell(cell, SMALL, tmp_path, lambda _: None)
    results = collect.collect(grid, SMALL, tmp_path, "study", {}, None)
    assert {run.target for run in results.runs} == {"O", "M"}
    (row,) = results.rows.values()
    assert set(row["validation"]["frame"]) == {"D01", "D02"}
    assert row["target"] is None
