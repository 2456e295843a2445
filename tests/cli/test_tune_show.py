"""`rfmeta tune show`: how a study stands, from another process."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.tuning.results import DIVERGED, Result
from rfmeta_dist.tuning.study import Opened
from tests.lighter import absent, rfmeta
from tests.tuning.stored import made_up, store, train
from tests.tuning.studies import SPACE, base, study


def small(folder: Path, **changes):
    search = {"candidates": 4, "rungs": [2, 4]}
    return study(folder=str(folder), **{"base": check(base(steps=8), "test"), "search": search, **changes})


def told(found: Opened, *options: str) -> str:
    """Return what the command prints on stdout, in an installation without any extra."""
    done = rfmeta(absent(), "tune", "show", found.folder.url, *options)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80 or options
    return done.stdout


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines after each line that names a target."""
    parts = text.split("\ntarget ")
    return {part.split(":")[0]: part.splitlines() for part in parts[1:]}


def test_a_study_that_runs_shows_what_is_done_and_wanted_and_the_best_so_far(tmp_path: Path):
    found = store(small(tmp_path, budget={"hours": 3}))
    train(found, made_up, most=30)
    text = told(found)
    wanted = len(found.orders())
    assert "24 of at most 24 begun" in text
    assert f"wanted now  {wanted} training(s)" in text
    assert "1.5 hours" in text
    assert "3 hours" in text
    for target, lines in sections(text).items():
        view = found.view(target)
        rows = [line.split() for line in lines if line.strip()[:1].isdigit()]
        assert [row[0] for row in rows] == ["0", "1", "2", "3"]
        for entry, row in zip(view.entries, rows, strict=True):
            for score in entry.told.rungs.values():
                assert f"{100 * score:.1f}" in row
            assert entry.stopped is None or row[-3:] == ["stopped", "at", str(entry.stopped)]


def test_a_study_that_is_over_names_the_best_candidate_and_the_base(tmp_path: Path):
    found = store(small(tmp_path))
    train(found, made_up)
    text = told(found)
    assert "nothing: the search is over" in text
    for target, lines in sections(text).items():
        chosen = min((e for e in found.view(target).entries if e.value is not None), key=lambda e: e.value)
        base_value = found.view(target).entries[0].value
        said = f"best: candidate {chosen.candidate.number} with {100 * chosen.value:.1f} %"
        assert f"{said}; the base has {100 * base_value:.1f} %" in lines


def test_json_is_the_whole_and_does_not_change_the_folder(tmp_path: Path):
    found = store(small(tmp_path))
    train(found, made_up)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    given = json.loads(told(found, "--json"))
    assert given["trainings"]["begun"] == given["trainings"]["at_most"] == 24
    assert list(given["targets"]) == list("CIMO")
    assert given["targets"]["M"]["candidates"][0]["values"] == {}
    assert given["files"] == []
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_study_of_which_nothing_is_done(tmp_path: Path):
    text = told(store(small(tmp_path)))
    assert "0 of at most 24 begun" in text
    assert text.count("no candidate has come to its end yet") == 4


def test_a_target_that_was_stopped_and_hours_that_were_spent(tmp_path: Path):
    found = store(small(tmp_path, search={"candidates": 8, "batch": 4}))
    train(found, lambda *_: Result(None, None, "the loss is not finite", DIVERGED))
    text = told(found)
    assert text.count("this target was stopped") == 4
    assert "failed: diverged" in text
    late = store(small(tmp_path / "late", search={"candidates": 8, "batch": 4}))
    late.state = replace(late.state, cohorts=1)
    train(late, made_up)
    assert "budget.hours was spent" in told(late)


def test_many_fields_and_rungs_fit_into_80_columns(tmp_path: Path):
    more = {f"augmentation.{name}": {"uniform": [0, 0.5]} for name in ("brightness", "contrast", "saturation")}
    more = {f"data.{name}": given for name, given in more.items()}
    search = {"candidates": 4, "rungs": [1, 2, 3, 4, 5, 6], "keep": 0.9}
    augmented = base(steps=8)
    augmented["data"]["augmentation"] = {}
    found = store(small(tmp_path, base=check(augmented, "test"), space={**SPACE, **more}, search=search))
    train(found, made_up)
    assert "inner_learning_rate 0." in told(found)  # a line for each value, instead of a column


def test_page_writes_the_page_and_the_table_of_figures(tmp_path: Path):
    found = store(small(tmp_path, targets=["M"]))
    train(found, made_up)
    done = rfmeta({"torch", "ray", "optuna"}, "tune", "show", found.folder.url, "--page", "--json")
    assert done.returncode == 0, done.stderr
    page, table = json.loads(done.stdout)["files"]
    assert "Study study" in Path(page).read_text()
    assert pq.read_table(io.BytesIO(Path(table).read_bytes())).num_rows == len(found.asked("M"))


def test_page_without_the_extra_names_it(tmp_path: Path):
    done = rfmeta(absent("train"), "tune", "show", store(small(tmp_path)).folder.url, "--page")
    assert done.returncode != 0
    assert "rfmeta_dist[report]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("place", ["nowhere", "."])
def test_a_wrong_folder_is_one_line(tmp_path: Path, place: str):
    done = rfmeta(absent(), "tune", "show", tmp_path / place)
    assert done.returncode == 5
    assert "there is no study at" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
