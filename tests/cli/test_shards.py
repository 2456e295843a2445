"""`rfmeta shards`: compare, preview, forget, clean."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

CONFIG, DATA = 2, 3


def test_diff_of_two_manifests_names_what_changed(rfmeta, prefix: Path):
    pack(make_samples("A", {"train": (6, 3)}), open_store(str(prefix)), "A", contract={"tool": "new"})
    before, after = (prefix / "A" / f"manifest-00000{n}.json" for n in (1, 2))
    ending = rfmeta("shards", "diff", before, after, "--json")
    assert ending.code == 0
    found = json.loads(ending.out)["both"]["A"]
    assert len(found["samples"]["removed"]) == 9
    assert found["contract"] == {"added": ["tool"], "removed": [], "changed": []}
    shown = rfmeta("shards", "diff", before, after).err
    assert "domain A: differs" in shown
    assert "samples removed: 9" in shown
    assert "contract added: 1 (tool)" in shown


def test_diff_of_two_prefixes_compares_the_domains_of_both(rfmeta, packed: Path, prefix: Path):
    pack(make_samples("E"), open_store(str(prefix)), "E", contract={})
    shown = rfmeta("shards", "diff", packed, prefix).err
    assert f"domain E: only under {prefix}" in shown
    assert all(f"domain {name}: the same" in shown for name in "ABC")


def test_diff_of_a_manifest_that_is_not_there_is_named(rfmeta, prefix: Path):
    ending = rfmeta("shards", "diff", prefix, prefix / "A" / "manifest-000007.json")
    assert ending.code == 4
    assert "manifest-000007.json does not exist" in ending.error


def test_preview_writes_a_sheet(rfmeta, packed: Path, tmp_path: Path):
    ending = rfmeta("shards", "preview", packed, "--domain", "B", "--out", tmp_path / "b.png", "--count", 2)
    assert ending.code == 0
    assert cv2.imread(str(tmp_path / "b.png")).shape == (3 * 146, 2 * 260, 3)


def test_stats_count_kinds_and_each_subject(rfmeta, packed: Path):
    kinds = json.loads(rfmeta("shards", "stats", packed, "--json").out)["A"]
    people = json.loads(rfmeta("shards", "stats", packed, "--subjects", "--json").out)["A"]
    assert sum(row["samples"] for row in kinds) == sum(row["samples"] for row in people) == 18
    assert {row["subject"] for row in kinds} == {None}
    assert {(row["subject"], row["samples"]) for row in people} >= {("A-train0", 3)}
    assert "A-train0" in rfmeta("shards", "stats", packed, "--subjects").out


def test_forget_asks_and_then_says_what_went(
    rfmeta, prefix: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    arguments = ("shards", "forget", prefix, "--domain", "A", "--subject", "A-train1")
    refused = rfmeta(*arguments)
    assert (refused.code, "add --yes" in refused.error) == (CONFIG, True)
    assert (prefix / "A" / "manifest-000001.json").exists()
    ending = rfmeta(*arguments, "--yes")
    assert ending.code == 0
    assert "3 sample(s) of A-train1 were removed, 1 shard(s) rewritten" in ending.err
    assert "manifest-000001.json" in ending.err
    again = rfmeta(*arguments, "--yes")
    assert (again.code, "no subject 'A-train1'" in again.error) == (DATA, True)
    assert rfmeta("shards", "verify", prefix).code == 0


def test_verify_names_orphans_and_clean_removes_them(rfmeta, prefix: Path):
    orphan = prefix / "A" / "train" / "live" / "000009-0123456789ab.tar"
    orphan.write_bytes(b"")
    os.utime(orphan, (0, 0))
    ending = rfmeta("shards", "verify", prefix, "--json")
    assert ending.code == 0
    assert json.loads(ending.out)["A"] == {"findings": [], "orphans": [f"train/live/{orphan.name}"]}
    assert orphan.name in rfmeta("shards", "verify", prefix).err
    assert "add --yes" in rfmeta("shards", "clean", prefix).error
    assert orphan.exists()
    ending = rfmeta("shards", "clean", prefix, "--yes", "--json")
    assert json.loads(ending.out) == {"A": [f"train/live/{orphan.name}"], "B": [], "C": [], "D": []}
    assert not orphan.exists()
