"""Unwanted checkpoints are deleted, and a study that starts again does not ask for each of its trainings."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.storage.local import LocalStore
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning.checkpoints import Checkpoints
from tests.tuning.studies import base


def trainings(folder: Path, count: int) -> list[Config]:
    config = check(base(), "test")
    run = config.run.model_dump() | {"folder": str(folder)}
    return [
        config.model_copy(update={"run": type(config.run)(**run | {"name": f"t{number}"})})
        for number in range(count)
    ]


def test_only_folders_with_checkpoints_are_listed(tmp_path, monkeypatch):
    runs = trainings(tmp_path, 20)
    for run in runs:
        open_store(f"{tmp_path}/{run.run.name}").write("config.yaml", b"{}")
    open_store(f"{tmp_path}/t7").write("step-0000005/state.json", b"{}")
    listed: list[str] = []
    ask = LocalStore.list

    def counted(store: LocalStore, *arguments: str) -> list[str]:
        listed.append(store.url)
        return ask(store, *arguments)

    monkeypatch.setattr(LocalStore, "list", counted)
    checkpoints = Checkpoints(open_store(str(tmp_path)))
    checkpoints.remove(runs)
    assert not (tmp_path / "t7/step-0000005/state.json").exists()
    assert [url for url in listed if not url.endswith("/t7")] == [str(tmp_path)]


def test_a_training_that_went_on_since_is_looked_at_again(tmp_path):
    (run,) = trainings(tmp_path, 1)
    checkpoints = Checkpoints(open_store(str(tmp_path)))
    checkpoints.remove([run])
    checkpoints.expect(["t0"])
    state = tmp_path / "t0/step-0000001/state.json"
    open_store(f"{tmp_path}/t0").write("step-0000001/state.json", b"{}")
    checkpoints.remove([])
    assert state.exists()
    checkpoints.remove([run])
    assert not state.exists()
