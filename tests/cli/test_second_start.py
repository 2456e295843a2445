"""The same command given twice: the second is told who has the run, before it reaches for Ray."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from rfmeta_dist.cluster.train import evaluate_run, prepare, train_run
from rfmeta_dist.config.load import load_config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.runs.folder import MODEL
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store

NO_RAY = "127.0.0.1:1"  # a command that gets as far as Ray fails on this address


def test_a_run_that_is_being_trained_is_refused_in_a_line(rfmeta, config: Path, tmp_path: Path):
    folder = tmp_path / "runs/r"
    with lease.held(open_store(str(folder)), "trained"):
        ending = rfmeta("train", config, "--address", NO_RAY)
    assert ending.code == RunError.exit_code
    who = f"process {os.getpid()} on {os.uname().nodename} since"
    assert f"{folder} is being trained already, by {who}" in ending.error
    assert "wait until that process ends or stop it" in ending.error
    assert "cannot reach the Ray cluster" in rfmeta("train", config, "--address", NO_RAY).error


def started(config: Path) -> Store:
    """The folder of a run that has begun and not finished."""
    return prepare(load_config(config, ())).folder


def content(folder: Store) -> dict[str, bytes]:
    """All files of a folder but the lease."""
    return {name: folder.read(name) for name in folder.list() if name != lease.NAME}


@pytest.mark.parametrize("before", ["nothing", "started", "trained"])
def test_a_refused_start_changes_nothing(rfmeta, config: Path, tmp_path: Path, before: str):
    folder = open_store(str(tmp_path / "runs/r")) if before == "nothing" else started(config)
    if before == "trained":
        folder.write(MODEL, b"{}")
    there = content(folder)
    correction = "evaluation.target_split=train"
    with lease.held(folder, "trained"):
        ending = rfmeta("train", config, "--set", correction, "--address", NO_RAY)
        assert (ending.code, content(folder)) == (RunError.exit_code, there)
        with pytest.raises(RunError, match="is being trained already"):
            train_run(load_config(config, (correction,)), print)
    assert content(folder) == there


def test_a_run_that_was_trained_while_its_lease_was_waited_for_is_not_trained_again(config: Path, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.2)
    monkeypatch.setattr(lease, "STALE_S", 2.0)
    monkeypatch.setenv("RAY_ADDRESS", NO_RAY)
    folder = started(config)
    elsewhere = replace(lease.Holder.me("trained"), machine="another")
    folder.write(lease.NAME, elsewhere.to_bytes())
    threading.Timer(0.5, folder.write, (MODEL, b"{}")).start()
    assert train_run(load_config(config, ()), print) == folder


def test_another_runs_folder_gets_no_lease(config: Path):
    folder = started(config)
    with pytest.raises(RunError, match="exists with another configuration"):
        train_run(load_config(config, ("training.seed=1",)), print)
    assert not folder.exists(lease.NAME)


def test_a_second_judge_is_refused(config: Path, tmp_path: Path):
    """Both would write the ledger, and a line of it would be lost."""
    folder = open_store(str(tmp_path / "runs/r"))
    with lease.held(folder, "judged"), pytest.raises(RunError, match="is being judged already"):
        evaluate_run(load_config(config, ()), folder)
