"""`rfmeta shards batches`, `review`, `retract`, and mistakes with `--into` of ingest and synth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.data.shards.batches import Batch, publish_batch
from rfmeta_dist.data.shards.delivery import Renamed
from rfmeta_dist.data.shards.manifest import open_head
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

CONFIG, DATA = 2, 3
MAY = Batch("may", "Acme", "2026-05-01T00:00:00+00:00")


@pytest.fixture
def added(prefix: Path) -> Path:
    samples = Renamed(lambda: make_samples("N", {"train": (6, 6)}, 1), "A", "may")
    publish_batch(samples, open_store(str(prefix)), "A", MAY, contract={})
    return prefix


def test_batches_are_listed_reviewed_and_retracted(rfmeta, added: Path):
    before = open_head(open_store(str(added)), "A")
    (row,) = json.loads(rfmeta("shards", "batches", added, "--json").out)
    assert row["videos"] == {"live": 2, "print": 2, "replay": 2}
    assert (row["domain"], row["batch"], row["supplier"], row["reviewed"]) == ("A", "may", "Acme", False)
    assert "batch may of domain A is reviewed" in rfmeta("shards", "review", added, "A", "may").err
    shown = rfmeta("shards", "batches", added).out
    assert all(word in shown for word in ("may", "Acme", "yes", "replay 2"))
    undone = json.loads(rfmeta("shards", "review", added, "A", "may", "--undo", "--json").out)
    assert undone == {"domain": "A", "batch": "may", "reviewed": False, "manifest": before.fingerprint}
    assert "no longer in domain A" in rfmeta("shards", "retract", added, "A", "may").err
    assert json.loads(rfmeta("shards", "batches", added, "--json").out) == []
    assert "no domain under" in rfmeta("shards", "batches", added).err
    for command in ("review", "retract"):
        ending = rfmeta("shards", command, added, "A", "may")
        assert ending.code == DATA
        assert "has no batch 'may'" in ending.error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--batch may", ["--batch describes a batch, but --into", "add --into DOMAIN, or leave --batch out"]),
        ("--into O", ["--into O adds a batch, but --batch and --supplier is not given"]),
        ("--into O --batch may", ["but --supplier is not given", "--into DOMAIN --batch NAME --supplier WHO"]),
        ("--into O --batch a.b --supplier me", ["'a.b' is not a valid name of a batch"]),
    ],
)
@pytest.mark.parametrize("command", ["ingest folder .", "synth --domains O"])
def test_half_a_batch_is_refused_with_what_lacks(rfmeta, tmp_path: Path, command, options, words):
    ending = rfmeta(*command.split(), "--out", tmp_path, *options.split())
    assert ending.code in (CONFIG, DATA)
    assert all(word in ending.error for word in words)


def test_options_of_a_batch_are_refused_where_they_have_no_effect(rfmeta, tmp_path: Path):
    start = ("ingest", "folder", tmp_path, "--out", tmp_path)
    batch = ("--into", "O", "--batch", "may", "--supplier", "me")
    assert "both name a domain" in rfmeta(*start, *batch, "--domain", "C").error
    assert "--same-people applies to a batch only" in rfmeta(*start, "--same-people").error
    many = rfmeta("synth", "--out", tmp_path, *batch, "--domains", "C,M")
    assert "but 2 are to be generated" in many.error
