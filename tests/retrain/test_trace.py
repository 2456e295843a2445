"""A version names the jobs that worked on its attempt, and nothing that is hashed depends on their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.retrain import registering
from rfmeta_dist.retrain.registries import open_registry
from rfmeta_dist.retrain.registry import Version
from rfmeta_dist.runs import starts
from tests.retrain.judged import Judged


def registered(world: Judged, monkeypatch: pytest.MonkeyPatch, *traces: str) -> Version:
    """Register an attempt on which jobs with these trace ids have worked."""
    monkeypatch.setenv("RFMETA_TRACE", traces[0])
    made = world.attempt(outcome="promoted")
    for trace in traces:
        monkeypatch.setenv("RFMETA_TRACE", trace)
        starts.note(made.folder)
    return registering.register(world.config, made)


@pytest.mark.parametrize("backend", ["store", pytest.param("mlflow", marks=pytest.mark.drill)])
def test_both_registries_show_the_jobs_of_a_version(
    rfmeta: Any, tmp_path: Path, monkeypatch: Any, backend: str
):
    database = {"registry": {"mlflow": f"sqlite:///{tmp_path}/mlflow.db"}} if backend == "mlflow" else {}
    world = Judged(tmp_path, **database)
    registered(world, monkeypatch, "retrain-1796000000", "retrain-1796003600")
    (version,) = open_registry(world.config).versions()
    assert version.tags["trace"] == "retrain-1796000000, retrain-1796003600"
    shown = rfmeta("models", "show", world.file, 1, "--json")
    assert json.loads(shown.out)["tags"]["trace"] == version.tags["trace"]


def test_what_is_hashed_is_equal_under_two_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    versions = []
    for trace in ("job-1", "job-2"):
        (place := tmp_path / trace).mkdir()
        versions.append(registered(Judged(place), monkeypatch, trace))
    mine, other = (version.tags for version in versions)
    for name in ("package", "identity", "verdict", "scores", "samples", "code"):
        assert mine[name] == other[name]
    assert mine["trace"] != other["trace"]
