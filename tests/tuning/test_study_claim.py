"""A study claims its folder and pins its data, and only grows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import opened
from tests.tuning.folder import small
from tests.tuning.studies import base, result, study


def test_another_study_in_the_folder_is_named_by_what_differs(faces: Path):
    with opened(small(faces)):
        pass
    with (
        pytest.raises(RunError, match=r"differs in metric, search\.seed; candidates, seeds, targets and the"),
        opened(small(faces, metric="auc", search={"candidates": 4, "seed": 1})),
    ):
        pass


def test_the_domains_of_a_study_stay(faces: Path):
    with opened(small(faces, targets=["M"])):
        pass
    config = check({**base(str(faces)), "data": {**base(str(faces))["data"], "target": "A"}}, "test")
    with (
        pytest.raises(RunError, match=r"differs in targets, base\.data\.target"),
        opened(small(faces, targets=["O"], base=config)),
    ):
        pass


def test_two_processes_do_not_search_in_one_folder(faces: Path):
    with opened(small(faces)), pytest.raises(RunError, match="is being searched"), opened(small(faces)):
        pass


def test_a_single_target_need_not_be_there(faces: Path):
    shutil.rmtree(faces / "M")
    with opened(small(faces, targets=["M"])) as found:
        assert sorted(found.manifests) == ["C", "I", "O"]
        assert len(found.orders()) == 12
    with pytest.raises(DataError, match="M"), opened(small(faces, name="all")):
        pass


def test_a_study_reads_the_data_that_it_started_with(faces: Path):
    with opened(small(faces)) as found:
        before = found.manifests
        found.orders()
    publish_again(faces, "O")
    with opened(small(faces)) as found:
        assert found.manifests == before
    with opened(small(faces, name="later")) as found:
        assert found.manifests == before | {"O": found.manifests["O"]}
        assert found.manifests["O"] != before["O"]


def publish_again(faces: Path, domain: str) -> None:
    """Publish a state of the domain whose contract says something else."""
    store = open_store(str(faces))
    newest = Manifest.open(store, domain)
    contents = json.loads((faces / domain / "manifest-000001.json").read_text())
    contents["contract"] = {**contents["contract"], "note": "again"}
    (faces / domain / "manifest-000002.json").write_text(json.dumps(contents))
    assert Manifest.open(store, domain).fingerprint != newest.fingerprint


def test_what_runs_allow_may_change_and_mistakes_in_the_data_claim_nothing(faces: Path):
    wrong = study(folder=str(faces.parent / "studies"), base=check(base(str(faces / "O")), "test"))
    with pytest.raises(DataError), opened(wrong):
        pass
    with opened(small(faces)):
        pass
    other = check(base(str(faces), workers=1, strategy="single", checkpoint_every=7), "test")
    with opened(study(folder=str(faces.parent / "studies"), base=other)) as found:
        assert len(found.orders()) == 24


@pytest.mark.parametrize("fewer", [{"seeds": [1]}, {"search": {"candidates": 3}}, {"targets": ["M"]}])
def test_what_was_asked_for_stays(faces: Path, fewer: dict):
    with opened(small(faces, seeds=[0, 1])):
        pass
    what = next(iter(fewer)).replace("search", r"search\.candidates")
    with pytest.raises(RunError, match=what), opened(small(faces, **{"seeds": [0, 1], **fewer})):
        pass


def test_the_folder_of_a_run_is_left_alone(faces: Path):
    folder = faces.parent / "studies/study"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("run: {}")
    with pytest.raises(RunError, match="is the folder of a run"), opened(small(faces)):
        pass


def test_a_damaged_study_is_named(faces: Path):
    with opened(small(faces)) as found:
        pass
    found.folder.write("study.json", b"{")
    with pytest.raises(RunError, match=r"study\.json is damaged"), opened(small(faces)):
        pass


def test_a_study_that_has_not_ended_names_what_is_missing(faces: Path):
    with (
        opened(small(faces)) as found,
        pytest.raises(RunError, match="not come to its end: target M lacks 12 figures"),
    ):
        found.choose("M")


def test_a_damaged_figure_is_named(faces: Path):
    with opened(small(faces)) as found:
        name = next(iter(found.orders()[0].figures.values()))
        found.shared.write(name, b"{")
        with pytest.raises(DataError, match=r"figures/.* is damaged"):
            found.orders()


def test_choice_and_trace_are_files_of_the_study(faces: Path):
    with opened(small(faces)) as found:
        for number, wanted in enumerate(found.orders()):
            for name in wanted.figures.values():
                results.write(
                    found.shared,
                    name,
                    Result(None, None, "NaN", results.DIVERGED) if number == 7 else result(0.3),
                )
        for target in found.plan.targets:
            found.choose(target)
        assert all(found.folder.exists(f"choice-to_{t}.yaml") for t in "CIMO")
        assert b'"failed": "diverged"' in b"".join(found.folder.read(f"trace-to_{t}.jsonl") for t in "CIMO")
