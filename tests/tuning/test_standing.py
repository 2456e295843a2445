"""How a study stands: what it took, what it saved, and the state of every candidate."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.tuning.compact import to_parquet
from rfmeta_dist.tuning.results import DIVERGED, Result
from rfmeta_dist.tuning.standing import as_dict, stand
from tests.tuning.stored import made_up, seen, store, train
from tests.tuning.studies import base, study

STEPS = 8


def small(folder: Path, **changes):
    search = {"candidates": 8, "batch": 4, "rungs": [2, 4]}
    return study(folder=str(folder), **{"base": check(base(steps=STEPS), "test"), "search": search, **changes})


def test_what_was_done_and_saved_adds_up_to_what_targets_alone_would_have_trained(tmp_path: Path):
    found = store(small(tmp_path))
    train(found, made_up)
    effort = stand(seen(found)).effort()
    assert effort.trainings == 8 * 6
    assert effort.asked == 8 * 6 * 2
    assert effort.steps + effort.saved_by_stopping + effort.saved_by_sharing == 8 * 12 * STEPS
    assert effort.stopped + effort.complete == effort.trainings
    assert effort.saved_by_stopping > 0
    assert effort.wanted == 0


def test_steps_are_those_that_the_orders_trained(tmp_path: Path):
    found, reached = store(small(tmp_path)), {}
    while orders := found.orders():
        for order in orders:
            reached[order.config.run.name] = order.until
        train(found, made_up, most=len(orders))
    assert stand(seen(found)).effort().steps == sum(reached.values())


def test_nothing_counts_as_saved_by_stopping_while_a_target_may_train_on(tmp_path: Path):
    found = store(small(tmp_path, search={"candidates": 4, "rungs": [2]}))
    train(found, made_up, most=23)  # of the 24 trainings that are to come to the rung
    effort = stand(seen(found)).effort()
    assert effort.trainings == 23
    assert effort.complete == 0
    standing = stand(seen(found))
    assert {t for t, view in standing.views.items() if any(e.undecided for e in view.entries)} >= {"M", "O"}
    # Only a training without two decided targets, C and I, can be stopped, and each candidate has one of these.
    assert effort.stopped <= 4
    assert effort.saved_by_stopping == effort.stopped * (STEPS - 2)


def test_a_candidate_is_wanted_then_waits_for_its_cohort_then_is_stopped_or_complete(tmp_path: Path):
    found = store(small(tmp_path, search={"candidates": 4, "rungs": [2]}))

    def states() -> list[str]:
        standing = stand(seen(found))
        return [standing.state("M", entry) for entry in standing.views["M"].entries]

    assert states() == ["wanted"] * 4
    train(found, made_up, most=23)
    assert sorted(states()) == ["waiting", "waiting", "waiting", "wanted"]
    train(found, made_up)
    assert set(states()) == {"complete", "stopped"}


def test_a_target_that_was_stopped_has_no_best_candidate(tmp_path: Path):
    found = store(small(tmp_path))
    train(found, lambda config, judged, step: Result(None, None, "not finite", DIVERGED))
    standing = stand(seen(found))
    told = as_dict(standing)["targets"]["M"]
    assert told["best"] is None
    assert "all failed in the same way" in told["problem"]
    assert [row["state"] for row in told["candidates"]] == ["failed"] * 3
    assert standing.over


def test_json_has_the_figures_of_the_views(tmp_path: Path):
    found = store(small(tmp_path))
    train(found, made_up)
    standing = stand(seen(found))
    told = json.loads(json.dumps(as_dict(standing)))
    for target, view in standing.views.items():
        rows = told["targets"][target]["candidates"]
        assert [row["score"] for row in rows] == [entry.value for entry in view.entries]
        assert [row["folds"] for row in rows] == [
            {str(step): dict(by_fold) for step, by_fold in entry.rungs.items()} for entry in view.entries
        ]
    assert told["targets"]["M"]["score"] == min(
        e.value for e in standing.views["M"].entries if e.value is not None
    )


@pytest.mark.parametrize("selection", ["nested", "source_validation"])
def test_the_table_has_each_figure_that_a_target_asked_for_and_no_other(tmp_path: Path, selection: str):
    found = store(small(tmp_path, selection=selection, seeds=[0, 1]))
    train(found, made_up)
    standing = stand(seen(found))
    rows = pq.read_table(io.BytesIO(to_parquet(standing))).to_pylist()
    keys = [tuple(row[name] for name in ("target", "candidate", "seed", "fold", "step")) for row in rows]
    assert len(set(keys)) == len(keys)
    means: dict[tuple, list[float]] = {}
    for row in rows:
        key = row["target"], row["candidate"], row["step"], row["fold"]
        means.setdefault(key, []).append(row["hter"])
    for target, view in standing.views.items():
        of_target = {key[1:]: sum(values) / 2 for key, values in means.items() if key[0] == target}
        expected = {
            (entry.candidate.number, step, fold): value
            for entry in view.entries
            for step, by_fold in entry.rungs.items()
            for fold, value in by_fold.items()
        }
        assert of_target == pytest.approx(expected)
        values = {row["candidate"]: json.loads(row["values"]) for row in rows if row["target"] == target}
        assert values == {e.candidate.number: dict(e.candidate.values) for e in view.entries}
