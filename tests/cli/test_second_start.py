"""The same command given twice: the second is told who has the run, before it reaches for Ray."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import open_store

NO_RAY = "127.0.0.1:1"  # a command that gets as far as Ray fails on this address


def test_a_run_that_is_being_trained_is_refused_in_a_line(rfmeta, config: Path, tmp_path: Path):
    folder = tmp_path / "runs/r"
    with lease.held(open_store(str(folder)), "trained"):
        ending = rfmeta("train", config, "--address", NO_RAY)
    assert ending.code == RunError.exit_code
    who = f"process {os.getpid()} on {os.uname().nodename} since"
    assert f"{folder} is being trained already, by {who}" in ending.error
    assert "let that process end, or stop it first" in ending.error
    assert "cannot reach the Ray cluster" in rfmeta("train", config, "--address", NO_RAY).error


def test_a_second_judge_is_refused(config: Path, tmp_path: Path):
    """Both would write the ledger, and a line of it would be lost."""
    from rfmeta_dist.cluster.train import evaluate_run
    from rfmeta_dist.config.load import load

    folder = open_store(str(tmp_path / "runs/r"))
    with lease.held(folder, "judged"), pytest.raises(RunError, match="is being judged already"):
        evaluate_run(load(config, ()), folder)
