"""`Manifest.open` reads what was packed, and refuses damaged states with an explanation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import GoneError, Manifest, open_head
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.stats import Count, stats
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import SIZE, make_samples


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.fixture
def manifest(store: Store) -> Manifest:
    sizes = {"train": (6, 9), "test": (3, 0)}
    return pack(make_samples("A", sizes), store, "A", contract={"seed": 1}, shard_bytes=8_000)


def test_what_was_packed_is_what_is_opened(store: Store, manifest: Manifest):
    opened = Manifest.open(store, "A")
    assert opened == manifest
    assert opened.counts == {"train": {"live": 6, "attack": 9}, "test": {"live": 3}}
    assert (opened.contract, opened.image_size) == ({"seed": 1}, SIZE)
    assert opened.samples.num_rows == 18
    assert [len(opened.rows(s)) for s in opened.shards] == [s.samples for s in opened.shards]
    for shard in opened.shards:
        assert {(r["shard"], r["label"]) for r in opened.rows(shard)} == {(shard.name, shard.label)}


def test_the_span_in_the_table_is_the_sample_in_the_tar(store: Store, manifest: Manifest):
    images = {sample.key: sample.image for sample in make_samples("A", {"train": (6, 9)})}
    shard = manifest.stream("train", 0)[0]
    data = store.read(f"A/{shard.name}")
    for row in manifest.rows(shard):
        span = data[row["offset"] : row["offset"] + row["length"]]
        assert span.startswith(f"{row['key']}.".encode())
        assert images[row["key"]] in span


def test_counts_come_by_split_class_and_attack(manifest: Manifest):
    assert stats(manifest) == [
        Count("train", 1, "live", samples=6, subjects=2, videos=2),
        Count("train", 0, "print", samples=5, subjects=3, videos=3),
        Count("train", 0, "replay", samples=4, subjects=3, videos=3),
        Count("test", 1, "live", samples=3, subjects=1, videos=1),
    ]


def test_an_unknown_domain_is_told_the_known_ones(store: Store, manifest: Manifest):
    pack(make_samples("B"), store, "B", contract={})
    with pytest.raises(DataError, match=r"no domain 'C' under .*: the domains there are A, B"):
        Manifest.open(store, "C")


def test_a_prefix_without_domains_says_so(store: Store, s3):
    for empty in (store.sub("typo"), open_store("s3://tests/typo")):
        with pytest.raises(DataError, match=r"no domain 'A' under .*typo: there are no domains"):
            Manifest.open(empty, "A")


def edit(store: Store, **changes: object) -> None:
    content = json.loads(store.read("A/manifest-000001.json")) | changes
    store.write("A/manifest-000001.json", json.dumps(content).encode())


def test_another_format_is_refused(store: Store, manifest: Manifest):
    edit(store, format=2)
    with pytest.raises(DataError, match="has format 2, but this version reads only format 1"):
        Manifest.open(store, "A")


def test_a_domain_copied_under_another_name_is_refused(store: Store, manifest: Manifest):
    for name in store.sub("A").list():
        store.write(f"B/{name}", store.read(f"A/{name}"))
    with pytest.raises(DataError, match="describes domain 'A', not 'B'"):
        Manifest.open(store, "B")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff"])
def test_a_damaged_manifest_is_refused(store: Store, manifest: Manifest, content: bytes):
    store.write("A/manifest-000001.json", content)
    with pytest.raises(DataError, match=r"manifest-000001\.json"):
        Manifest.open(store, "A")
    assert [finding.where for finding in verify(store, "A")] == ["manifest"]


@pytest.mark.parametrize("table", ["samples", "shards"])
def test_a_damaged_or_missing_table_is_refused(store: Store, manifest: Manifest, table: str):
    (name,) = (name for name in store.list("A") if name.startswith(f"A/{table}-"))
    store.write(name, store.read(name)[:-1])
    with pytest.raises(DataError, match=rf"{table}-.*\.parquet does not match the hash"):
        Manifest.open(store, "A")
    store.delete(name)
    with pytest.raises(DataError, match=rf"{table}-.*\.parquet is missing"):
        Manifest.open(store, "A")
    assert [finding.where for finding in verify(store, "A")] == ["manifest"]


def test_tables_that_disagree_are_refused(store: Store, manifest: Manifest):
    pack(make_samples("A"), store, "A", contract={})
    other = json.loads(store.read("A/manifest-000002.json"))
    store.delete("A/manifest-000002.json")
    edit(store, samples=other["samples"])
    with pytest.raises(DataError, match="its tables of samples and of shards list different samples"):
        Manifest.open(store, "A")


def test_an_older_state_is_opened_by_its_fingerprint(store: Store, manifest: Manifest):
    newer = pack(make_samples("A", {"train": (3, 3)}), store, "A", contract={})
    assert Manifest.open(store, "A") == newer
    older = Manifest.open(store, "A", manifest.fingerprint)
    assert older == manifest
    assert older.samples.equals(manifest.samples)
    assert older.shards == manifest.shards


def test_a_state_without_its_manifest_says_that_it_was_deleted(store: Store, manifest: Manifest):
    pack(make_samples("A", {"train": (3, 3)}), store, "A", contract={})
    forget(store, "A", "A-train0")
    with pytest.raises(GoneError, match=rf"{manifest.fingerprint[:12]}: that data was deleted.*new run"):
        Manifest.open(store, "A", manifest.fingerprint)
    Manifest.open(store, "A")


def test_the_head_of_a_state_is_read_without_its_tables(store: Store, manifest: Manifest):
    for name in store.list("A"):
        if not name.endswith(".json"):
            store.delete(name)
    head = open_head(store, "A", manifest.fingerprint)
    assert (head.fingerprint, head.image_size, head.counts) == (manifest.fingerprint, SIZE, manifest.counts)
    assert [head.count("train", 1), head.count("test", 0), head.count(None, 1)] == [6, 0, 9]


@pytest.mark.parametrize(
    "changes", [{"counts": [3]}, {"counts": {"train": {"live": "3"}}}, {"image_size": "64"}]
)
def test_counts_that_are_no_counts_are_refused(store: Store, manifest: Manifest, changes: dict[str, object]):
    edit(store, **changes)
    with pytest.raises(DataError, match="an image_size or counts that are not whole numbers"):
        open_head(store, "A")
