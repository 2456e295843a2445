"""A study's targets are opened after its choices are fixed, and what is continued later says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import look, opened
from tests.stored import SHARDS
from tests.tuning.comparisons import compared, comparing, do, searched
from tests.tuning.studies import base, study


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHARDS, tmp_path / "faces"))


def ledger(folder: str) -> list[dict[str, Any]]:
    store = open_store(folder)
    if not store.exists("ledger.jsonl"):
        return []
    return [json.loads(line) for line in store.read("ledger.jsonl").splitlines()]


def test_choices_are_fixed_before_any_target_is_opened_and_that_before_anything_is_ordered(faces: Path):
    folder = searched(faces)
    assert ledger(folder) == []
    assert look(folder).state.opened == {}
    with comparing(folder):
        rows = ledger(folder)
        opened_now = look(folder).state.opened
        assert not list((faces.parent / "studies/trainings").glob("without_M-*"))
    assert [(row["purpose"], row["domain"]) for row in rows] == [
        *(("choice", target) for target in "CIMO"),
        *(("regret", target) for target in "CIMO"),
    ]
    for row, target in zip(rows[:4], "CIMO", strict=True):
        file = open_store(folder).read(f"choice-to_{target}.yaml")
        assert (row["file"], row["sha256"]) == (f"choice-to_{target}.yaml", digest(file))
        assert opened_now[target]["choice"] == digest(file)
    assert all(row["sealed"] and row["samples"] > 0 for row in rows[4:])
    assert {row["domain"]: row["manifest"] for row in rows[4:]} == pins.read(open_store(folder))


def test_a_choice_file_that_was_changed_or_deleted_opens_nothing(faces: Path):
    folder = searched(faces)
    store = open_store(folder)
    good = store.read("choice-to_M.yaml")
    store.write("choice-to_M.yaml", good.replace(b"steps: 2", b"steps: 3"))
    with pytest.raises(RunError, match=r"choice-to_M\.yaml is not what the study chose"), comparing(folder):
        pass
    store.delete("choice-to_M.yaml")
    with pytest.raises(RunError, match=r"there is no .*choice-to_M\.yaml"), comparing(folder):
        pass
    assert ledger(folder) == []
    searched(faces)  # the same search again writes the file again
    assert store.read("choice-to_M.yaml") == good
    compared(folder)
    store.write("choice-to_M.yaml", good + b"\n")
    with pytest.raises(RunError, match=r"choice-to_M\.yaml is not what the study chose"), comparing(folder):
        pass


def test_an_interrupted_comparison_continues_and_no_training_is_done_twice(faces: Path):
    folder = searched(faces)
    done = []
    with comparing(folder) as comparison:
        first = comparison.orders()
        assert len(first) == 4 * (3 + 2 * 3)  # candidates, then choice and base with fresh seeds
        assert all(order.until == order.config.training.steps for order in first)
        for order in first:
            (target,) = order.figures
            assert order.config.data.target == target
            assert sorted([*order.config.data.sources, target]) == list("CIMO")
        do(comparison.study.shared, first[:10])
        done += [order.config.run.name for order in first[:10]]
        with pytest.raises(RunError, match="26 figures of the comparison are missing"):
            comparison.report()
    with comparing(folder) as comparison:
        rest = [order.config.run.name for order in comparison.orders()]
        assert sorted(done + rest) == sorted(order.config.run.name for order in first)
    report = compared(folder)
    assert len(ledger(folder)) == 8  # nothing was opened twice
    assert {target: found["continued"] for target, found in report["targets"].items()} == dict.fromkeys(
        "CIMO", False
    )


def test_the_report_can_be_computed_again_from_its_figures(faces: Path):
    folder = searched(faces)
    report = compared(folder)
    assert json.loads(open_store(folder).read("regret.json")) == report
    assert (report["seeds"], report["fresh_seeds"]) == ([0], [2, 3, 4])
    found = report["targets"]["M"]
    figures = {(row["candidate"], row["seed"]): row["hter"] for row in found["figures"]}
    oracle, chosen = found["oracle"], found["choice"]
    assert figures[oracle, 0] == min(value for (_, seed), value in figures.items() if seed == 0)
    by_seed = [figures[chosen, seed] - figures[oracle, seed] for seed in (2, 3, 4)]
    assert found["regret"]["by_seed"] == by_seed
    base = [figures[chosen, seed] - figures[0, seed] for seed in (2, 3, 4)]
    assert found["worse_than_base"]["mean"] == pytest.approx(sum(base) / 3)
    assert report["mean"]["worse_than_base"]["mean"] == pytest.approx(-0.3)
    assert found["manifest"] == pins.read(open_store(folder))["M"]


def test_what_is_continued_after_the_opening_says_so(faces: Path):
    folder = searched(faces)
    store = open_store(folder)
    before = store.read("choice-to_M.yaml")
    compared(folder)
    searched(faces)
    assert store.read("choice-to_M.yaml") == before  # it is the choice from before the opening, byte for byte
    searched(faces, search={"candidates": 5})
    after = store.read("choice-to_M.yaml").decode()
    time = look(folder).state.opened["M"]["time"]
    assert f"`rfmeta tune regret` looked at the labels of M ({time})" in after
    report = compared(folder)
    assert {found["continued"] for found in report["targets"].values()} == {True}
    assert look(folder).state.opened["M"] == {"time": time, "choice": digest(before)}
    assert [row["domain"] for row in ledger(folder)[8:]] == list("CIMO")  # the hashes of the new choices
    store.delete("state.json")  # the ledger still knows
    searched(faces, search={"candidates": 5})
    assert store.read("choice-to_M.yaml").decode() == after


def test_a_target_that_was_not_opened_is_chosen_blindly_still(faces: Path):
    folder = searched(faces, targets=["M"])
    compared(folder)
    searched(faces, targets=["M", "O"])
    store = open_store(folder)
    assert b"rfmeta tune regret" not in store.read("choice-to_O.yaml")
    assert b"rfmeta tune regret" not in store.read("choice-to_M.yaml")  # its candidates are the same


def test_a_study_that_has_not_ended_is_refused_with_what_is_missing(faces: Path):
    given = study(folder=str(faces.parent / "studies"), base=check(base(str(faces)), "test"))
    with opened(given) as found:
        do(found.shared, found.orders()[:20])
        found.orders()
    with (
        pytest.raises(RunError, match="has not come to its end: 8 figures are missing"),
        comparing(found.folder.url),
    ):
        pass
    assert ledger(found.folder.url) == []


def test_a_target_that_is_absent_is_named_and_nothing_is_opened(faces: Path):
    shutil.rmtree(faces / "M")
    folder = searched(faces, targets=["M"])
    with (
        pytest.raises(DataError, match=r"the choice for target M is judged on its labelled data: .*M"),
        comparing(folder),
    ):
        pass
    assert [row["purpose"] for row in ledger(folder)] == ["choice"]
    assert look(folder).state.opened == {}
    shutil.copytree(SHARDS / "M", faces / "M")
    assert compared(folder)["targets"]["M"]["continued"] is False


def test_trainings_of_source_validation_are_found_again_with_their_checkpoints(faces: Path):
    given = {"base": check(base(str(faces)), "test"), "selection": "source_validation"}
    names = set()
    with opened(study(folder=str(faces.parent / "studies"), search={"candidates": 3}, **given)) as found:
        orders = found.orders()
        for order in orders:
            names.add(order.config.run.name)
            checkpoint(found.shared, order.config.run.name)
        do(found.shared, orders)
        assert not found.orders()
        for target in "CIMO":
            found.choose(target)
    with comparing(found.folder.url) as comparison:
        ordered = comparison.orders()
        again = {order.config.run.name for order in ordered if order.config.training.seed == 0}
        assert again == names
        assert all(has_checkpoint(found.shared, name) for name in names)
        do(found.shared, ordered)
        comparison.orders()
        assert not any(has_checkpoint(found.shared, name) for name in names)  # judged, so of no use any more


def checkpoint(shared: Store, run: str) -> None:
    shared.sub(f"trainings/{run}").write("step-0000002/state.json", b"{}")


def has_checkpoint(shared: Store, run: str) -> bool:
    return shared.sub(f"trainings/{run}").exists("step-0000002/state.json")


def test_candidates_that_were_stopped_are_compared_too_and_a_failed_one_is_told(faces: Path):
    config = check(base(str(faces), steps=3), "test")
    folder = searched(faces, base=config, search={"candidates": 4, "rungs": [1], "keep": 0.25}, targets=["M"])
    with comparing(folder) as comparison:
        orders = comparison.orders()
        assert {order.until for order in orders} == {3}
        assert len([order for order in orders if order.config.training.seed == 0]) == 4
        failed = Result(None, None, "not finite", results.DIVERGED)
        results.write(comparison.study.shared, orders[3].figures["M"], failed)
        while orders := comparison.orders():
            do(comparison.study.shared, orders)
        rows = comparison.report()["targets"]["M"]["figures"]
    assert [(row["candidate"], row["failed"]) for row in rows if row["failed"]] == [(3, "not finite")]


def test_a_study_of_other_code_and_a_renamed_folder_are_refused(faces: Path):
    folder = searched(faces)
    store = open_store(folder)
    kept = json.loads(store.read("state.json"))
    store.write("state.json", json.dumps({**kept, "code": "0.0.1+ab"}).encode())
    with (
        pytest.raises(RunError, match=r"was searched with the code 0\.0\.1\+ab, but this is"),
        comparing(folder),
    ):
        pass
    store.write("state.json", json.dumps(kept).encode())
    shutil.move(folder, f"{folder}-old")
    with pytest.raises(RunError, match="holds the study study, so it was renamed"), comparing(f"{folder}-old"):
        pass


def test_a_study_that_was_moved_with_its_trainings_is_found(faces: Path):
    searched(faces)
    moved = faces.parent / "elsewhere"
    shutil.move(faces.parent / "studies", moved)
    report = compared(str(moved / "study"))
    assert set(report["targets"]) == set("CIMO")
    assert list((moved / "figures").glob("*.json"))
    assert not (faces.parent / "studies").exists()


def test_a_damaged_ledger_is_named(faces: Path):
    folder = searched(faces)
    open_store(folder).write("ledger.jsonl", b'{"purpose": "choice"}\n')
    with pytest.raises(RunError, match=r"ledger\.jsonl is damaged"):
        look(folder)


def test_each_target_is_compared_among_the_candidates_that_it_was_proposed(faces: Path):
    pytest.importorskip("optuna")
    search = {"kind": "tpe", "candidates": 4, "startup": 2, "batch": 2}
    found = compared(searched(faces, search=search, targets=["M", "O"]))["targets"]
    proposed = {target: list(told["candidates"].values()) for target, told in found.items()}
    assert proposed["M"][:2] == proposed["O"][:2]  # the start-up is shared
    assert proposed["M"][2:] != proposed["O"][2:]
    for told in found.values():
        judged = {row["candidate"] for row in told["figures"] if row["seed"] == 0}
        assert judged == {int(number) for number in told["candidates"]}
