"""The figures that `rfmeta metrics` computes are those of what stands in the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.monitoring import holders
from rfmeta_dist.monitoring.exporter import Exporter, find
from rfmeta_dist.monitoring.holders import Holders
from rfmeta_dist.monitoring.samples import FIGURES, Sample, text
from rfmeta_dist.runs.folder import read_config
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning.results import DIVERGED, Result
from tests.stored import BEFORE
from tests.tuning.stored import made_up, store, train
from tests.tuning.test_standing import small

Labels = dict[str, str]


def parsed(shown: str) -> dict[str, list[tuple[Labels, float]]]:
    """Return the samples by name, as Prometheus' own client reads them."""
    families = text_string_to_metric_families(shown)
    return {family.name: [(s.labels, s.value) for s in family.samples] for family in families}


def figures(*folders: object) -> dict[str, list[tuple[Labels, float]]]:
    said: list[str] = []
    exporter = Exporter([str(folder) for folder in folders], said.append)
    exporter.refresh()
    assert said == []
    return parsed(exporter.text)


def chosen(samples: Iterable[tuple[Labels, float]], label: str) -> str:
    """Return the label's value of the only sample that is 1; the others are 0."""
    by_value = {labels[label]: value for labels, value in samples}
    assert sorted(by_value.values()) == [0.0] * (len(by_value) - 1) + [1.0]
    return max(by_value, key=lambda name: by_value[name])


def value(samples: list[tuple[Labels, float]], **labels: str) -> float:
    (found,) = [v for given, v in samples if labels.items() <= given.items()]
    return found


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BEFORE / "runs", tmp_path / "runs"))


def test_a_finished_and_an_interrupted_run_each_have_their_series(runs: Path):
    found = figures(runs / "finished", runs / "interrupted")
    states = found["rfmeta_run_state"]
    assert chosen([s for s in states if s[0]["run"] == "finished"], "state") == "judged"
    assert chosen([s for s in states if s[0]["run"] == "interrupted"], "state") == "stopped"
    assert value(found["rfmeta_run_steps"], run="interrupted", target="M") == 12
    assert value(found["rfmeta_run_steps_planned"], run="interrupted") == 24
    video = json.loads((runs / "finished/evaluation.json").read_text())["figures"]["video"]
    assert value(found["rfmeta_run_hter"], run="finished", method="rfmeta") == video["HTER"]["value"]
    assert value(found["rfmeta_run_auc"], run="finished") == video["AUC"]["value"]


def test_a_checkpoint_that_was_not_finished_does_not_count(runs: Path):
    (runs / "interrupted/step-0000012/state.json").unlink()
    assert value(figures(runs / "interrupted")["rfmeta_run_steps"]) == 8


def test_starts_and_steps_that_are_not_finite_are_counted_even_if_a_line_was_cut_off(runs: Path):
    folder = runs / "interrupted"
    folder.joinpath("starts.jsonl").write_text(
        '{"time": "1970-01-01T00:01:00+00:00"}\n{"time": "1970-01-01T00:02:00+00:00"}\n{"tim'
    )
    for step, worker in ((7, 0), (7, 1), (9, 0)):
        open_store(str(folder)).write(f"not_finite/step-{step:07d}-worker-{worker}.json", b"{}")
    found = figures(folder)
    assert value(found["rfmeta_run_starts"]) == 2
    assert value(found["rfmeta_run_started_time_seconds"]) == 120
    assert value(found["rfmeta_run_not_finite_steps"]) == 2


def test_a_run_is_training_while_a_process_holds_its_lease(runs: Path):
    store_ = open_store(str(runs / "interrupted"))
    with lease.held(store_, "trained"):
        assert chosen(figures(runs / "interrupted")["rfmeta_run_state"], "state") == "training"
    assert chosen(figures(runs / "interrupted")["rfmeta_run_state"], "state") == "stopped"


def test_a_holder_on_another_machine_is_gone_when_its_lease_stays_the_same(
    runs: Path, monkeypatch: pytest.MonkeyPatch
):
    folder, clock = open_store(str(runs / "interrupted")), 1000.0
    monkeypatch.setattr(holders.time, "monotonic", lambda: clock)
    holder = replace(lease.Holder.me("trained"), machine="another")
    seen = Holders()
    for seconds, renewals, working in (
        (0, 0, True),
        (20, 1, True),
        (25, 1, True),
        (40, 1, False),
        (1, 2, True),
    ):
        clock += seconds
        folder.write(lease.NAME, replace(holder, renewals=renewals).to_bytes())
        assert seen.working(folder) is working, (seconds, renewals)
    folder.write(lease.NAME, replace(holder, released=True).to_bytes())
    assert not seen.working(folder)


def test_many_runs_have_series_for_targets_and_not_for_runs(runs: Path):
    for number in range(40):
        shutil.copytree(runs / "finished", runs / f"more-{number}")
    found = figures(runs)
    assert value(found["rfmeta_runs"], folder="runs", target="M", state="judged") == 41
    assert value(found["rfmeta_runs"], folder="runs", state="stopped") == 1
    assert value(found["rfmeta_runs_hter"], target="M", method="rfmeta") == pytest.approx(0.35)
    assert sum(map(len, found.values())) == 8


def test_a_folder_with_several_kinds_shows_each_and_counts_inner_trainings_once(runs: Path):
    study = store(small(runs / "studies"))
    train(study, made_up, most=10)
    inner = [runs / "studies/trainings/one", runs / "retrain/shop/attempts/0001-ab/run"]
    for place in inner:
        shutil.copytree(runs / "interrupted", place)
    (inner[1].parent / "attempt.json").write_text("{}")
    names = open_store(str(runs.parent)).list()
    found = find(names)
    assert sorted(found.runs) == ["runs/finished", "runs/interrupted"]
    assert found.studies == [f"runs/studies/{study.plan.study.name}"]
    assert found.retrainings == ["runs/retrain/shop"]
    assert all(not Path(name).is_absolute() for name in found.runs["runs/finished"])
    assert "evaluation.json" in found.runs["runs/finished"]


def diverging(config: Any, judged: str, step: int) -> Result:
    if config.method.inner_learning_rate > 0.005:
        return Result(None, None, failed="the loss is not finite", kind=DIVERGED)
    return made_up(config, judged, step)


def test_a_study_shows_what_is_done_and_what_is_left(tmp_path: Path):
    study = store(small(tmp_path))
    train(study, diverging, most=60)
    exporter = Exporter([study.folder.url], print)
    exporter.refresh()
    found = parsed(exporter.text)
    name = study.plan.study.name
    assert chosen(found["rfmeta_study_state"], "state") == "stopped"  # the lease was given back
    assert 0 < value(found["rfmeta_study_steps"], study=name) < value(found["rfmeta_study_steps_planned"])
    assert value(found["rfmeta_study_trainings"], state="wanted") > 0
    candidates = found["rfmeta_study_candidates"]
    assert {labels["target"] for labels, _ in candidates} == set("CIMO")
    assert sum(v for labels, v in candidates if labels["state"] == "failed") > 0
    train(study, diverging)
    exporter.refresh()  # the same exporter finds the new figures, and does not read the others again
    found = parsed(exporter.text)
    assert chosen(found["rfmeta_study_state"], "state") == "over"
    assert value(found["rfmeta_study_trainings"], state="wanted") == 0
    assert len(found["rfmeta_study_best"]) == 4
    assert all(0 < v < 0.5 for _, v in found["rfmeta_study_best"])
    assert sum(map(len, found.values())) == 2 + 3 + 3 + 1 + 1 + 4 * 6 + 4


@pytest.mark.parametrize("inner", ["", "/finished"])
def test_of_two_folders_with_the_same_name_one_is_shown_and_the_other_is_said(runs: Path, inner: str):
    second = Path(shutil.copytree(runs, runs.parent / "other/runs"))
    said: list[str] = []
    exporter = Exporter([f"{runs}{inner}", f"{second}{inner}"], said.append)
    for _ in range(2):
        exporter.refresh()
    series = [(sample.name, *sample.labels.values()) for sample in exporter.samples]
    assert len(set(series)) == len(series)
    assert said == [
        f"{second}{inner} is not shown, because {runs}{inner} has the same name; "
        "give it to a second rfmeta metrics"
    ]


def test_a_damaged_folder_is_down_and_the_others_are_shown(runs: Path):
    (runs / "interrupted/config.yaml").write_text("run: [")
    said: list[str] = []
    exporter = Exporter([str(runs / "interrupted"), str(runs / "finished")], said.append)
    for _ in range(2):
        exporter.refresh()
    found = parsed(exporter.text)
    assert value(found["rfmeta_store_up"], folder=str(runs / "interrupted")) == 0
    assert value(found["rfmeta_store_up"], folder=str(runs / "finished")) == 1
    assert {labels["run"] for labels, _ in found["rfmeta_run_state"]} == {"finished"}
    (line,) = said  # said once
    assert "config.yaml is damaged" in line
    shutil.copy(BEFORE / "runs/interrupted/config.yaml", runs / "interrupted/config.yaml")
    exporter.refresh()
    assert said[1:] == [f"{runs / 'interrupted'} can be read again"]
    with pytest.raises(RunError):
        read_config(open_store(str(runs / "nothing")))


def test_what_is_damaged_in_a_folder_does_not_hide_the_rest(runs: Path):
    shutil.copytree(runs / "finished", runs / "other")
    (runs / "other/evaluation.json").write_text('{"figures": []}')
    (runs / "interrupted/config.yaml").write_text("run: [")
    said: list[str] = []
    exporter = Exporter([str(runs)], said.append)
    exporter.refresh()
    found = parsed(exporter.text)
    assert value(found["rfmeta_runs"], state="judged") == 1
    assert value(found["rfmeta_store_up"]) == 0
    (line,) = said
    assert "interrupted/config.yaml is damaged" in line
    assert f"a file in {runs / 'other'} is damaged" in line


def test_any_label_is_written_as_prometheus_reads_it():
    odd = 'a "quoted" \\ back\nslash é'
    found = parsed(text([Sample("rfmeta_store_up", 1.0, {"folder": odd})]))
    assert found == {"rfmeta_store_up": [({"folder": odd}, 1.0)]}


def test_no_label_could_name_a_person_a_sample_or_a_trial():
    labels = {label for names, _ in FIGURES.values() for label in names}
    known = {"run", "target", "folder", "study", "retraining", "state", "method", "outcome", "decision"}
    assert labels == known | {"rate", "type"}
