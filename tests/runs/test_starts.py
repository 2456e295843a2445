"""What a run was started with is kept, and said when it differs."""

from __future__ import annotations

import json

import pytest
import torch

from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import starts
from rfmeta_dist.runs.fingerprint import fingerprint
from rfmeta_dist.storage.store import Store, open_store
from tests.runs.test_folder import config

CERTIFICATE = b'{"passed": true}'


@pytest.fixture
def folder(tmp_path) -> Store:
    return open_store(str(tmp_path))


def facts(**training):
    return starts.facts(config(**training), {"torch": torch.__version__, "ray": "2.60.0"})


def test_every_start_is_kept_with_its_certificate(folder):
    assert starts.record(folder, 0, facts(workers=2), CERTIFICATE) == ""
    assert starts.record(folder, 40, facts(workers=2), b'{"passed": true, "workers": 2}') == ""
    rows = [json.loads(line) for line in folder.read("starts.jsonl").splitlines()]
    assert [row["step"] for row in rows] == [0, 40]
    assert [row["certificate"] for row in rows] == [{"passed": True}, {"passed": True, "workers": 2}]
    assert rows[0]["code"].startswith("0.")
    assert rows[0]["torch"] == torch.__version__
    assert rows[0]["processor"]


def test_the_trace_ids_of_all_starts_are_listed_once(folder, monkeypatch):
    assert starts.traces(folder) == []
    starts.record(folder, 0, facts(), CERTIFICATE)  # as a version without trace ids wrote it
    for step, trace in enumerate(("job-1", "job-2", "job-1")):
        assert starts.record(folder, step, facts() | {"trace": trace}, CERTIFICATE) == ""
    folder.write("starts.jsonl", folder.read("starts.jsonl") + b'{"trace": "cut o')
    monkeypatch.setenv("RFMETA_TRACE", "job-3")
    starts.note(folder)
    assert starts.traces(folder) == ["job-1", "job-2", "job-3"]


def test_what_differs_from_the_start_before_is_named(folder):
    starts.record(folder, 0, facts(workers=2), CERTIFICATE)
    other = facts(workers=1, strategy="single") | {"torch": "9.9", "processor": "another"}
    said = starts.record(folder, 5, other, CERTIFICATE)
    assert f"torch {torch.__version__} → 9.9" in said
    assert "→ another" in said
    assert "workers 2 → 1, strategy ddp → single" in said
    assert starts.record(folder, 5, other, CERTIFICATE) == ""


def test_a_start_of_an_earlier_version_was_not_deterministic(folder):
    before = {name: value for name, value in facts().items() if name != "deterministic"}
    starts.record(folder, 0, before, CERTIFICATE)
    assert starts.record(folder, 5, facts(deterministic=True), CERTIFICATE) == "deterministic False → True"


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b"7"])
def test_a_damaged_list_of_starts_stops_no_run(folder, content):
    folder.write("starts.jsonl", content)
    assert "damaged" in starts.record(folder, 5, facts(), CERTIFICATE)
    assert starts.record(folder, 9, facts(), CERTIFICATE) == ""


def test_how_to_restart_and_wait_may_change_from_start_to_start(folder):
    runs.claim(folder, config())
    assert runs.claim(folder, config(restarts=9, wait_s=60)) is True
    assert fingerprint(config(restarts=9, wait_s=60), {}) == fingerprint(config(), {})
