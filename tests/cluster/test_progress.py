"""When failing workers are started again: restarts count anew with each checkpoint that was saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import ray.train

from rfmeta_dist.cluster import fit as fitting
from rfmeta_dist.cluster import worker
from rfmeta_dist.core.errors import ClusterError, DataError
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import kept


class Starts:
    """Stands for Ray Train: each start does the next thing to the folder, and all but the last fail."""

    def __init__(self, folder: Store, *doing: Callable[[Store], None]) -> None:
        self._folder, self._doing = folder, list(doing)

    def fit(self) -> None:
        self._doing.pop(0)(self._folder)
        if self._doing:
            raise ray.train.WorkerGroupError("workers died", {0: RuntimeError("died")})


def save(step: int) -> Callable[[Store], None]:
    def saved(folder: Store) -> None:
        folder.write(f"{kept.folder_name(step)}/state.json", b"{}")
        kept.prune(folder, step, 2)

    return saved


def begin(step: int) -> Callable[[Store], None]:
    """Write a part of a checkpoint."""
    return lambda folder: folder.write(f"{kept.folder_name(step)}/model.safetensors", b"")


def fit(config: Any, monkeypatch: pytest.MonkeyPatch, *doing: Callable[[Store], None]) -> list[str]:
    """Train in a folder where steps 50 and 100 are; returns what is said."""
    folder, said = open_folder(config), list[str]()
    for step in (50, 100):
        save(step)(folder)
    starts = Starts(folder, *doing)
    monkeypatch.setattr(fitting, "trainer", lambda *_, **__: starts)
    task = worker.Assignment(config, ("",), {}, None, "M", "token", folder, config.training.steps)
    fitting.fit(task, folder, said.append, local=True)
    return said


def test_a_checkpoint_before_a_damaged_one_is_progress(configure: Any, monkeypatch: pytest.MonkeyPatch):
    said = fit(configure("redone"), monkeypatch, save(75), save(100))
    assert said == ["workers have failed; all workers are started again from the newest checkpoint"]


def test_a_part_of_a_checkpoint_is_no_progress(configure: Any, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ClusterError, match="restart"):
        fit(configure("cut"), monkeypatch, begin(125), save(150))


def test_an_error_of_ours_ends_the_run_at_once(configure: Any, monkeypatch: pytest.MonkeyPatch):
    def fails(_: Store) -> None:
        raise ray.train.WorkerGroupError("workers died", {0: DataError("a shard is damaged", "restore it")})

    with pytest.raises(DataError, match="a shard is damaged"):
        fit(configure("ours"), monkeypatch, fails, save(150))  # a second start would end well
