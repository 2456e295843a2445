"""Erased bytes are gone from the embedded server's disk too; for other servers `reclaimed` is False."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import open_store
from rfmeta_dist.storage.reclaim import SERVICES
from tests.samples import make_samples

SIZES = {"train": (12, 20), "test": (4, 4)}
SUBJECT = "A-train1"
BYTES = 8_000


def on_disk(folder: Path, needles: list[bytes]) -> set[bytes]:
    """Return the needles that occur in a file below the folder."""
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return {needle for needle in needles if any(needle in content for content in files)}


def test_the_servers_own_disk_is_free_of_the_subject_too(s3):
    # A domain and a seed of its own, as the server keeps what other tests have stored.
    samples = list(make_samples("Q", SIZES, seed=70))
    mine, theirs = (
        [s for s in samples if s.subject == "Q-train1"],
        [s for s in samples if s.subject == "Q-train2"],
    )
    store = open_store(f"s3://tests/{uuid4().hex}")
    pack(samples[:-1], store, "Q", contract={}, shard_bytes=BYTES)
    pack(samples, store, "Q", contract={"try": 2}, shard_bytes=BYTES)
    Stage(store, "Q", {}).write("mine.parquet", mine, Tally("clip.mp4"))

    def needles(some: list[Sample]) -> list[bytes]:
        # From behind the headers, which all pictures share.
        pieces = [
            part[at : at + 40] for s in some for part in (s.image, s.depth) for at in (len(part) // 2, -60)
        ]
        return [*pieces, *(s.key.encode() for s in some), f'"{some[0].subject}"'.encode()]

    assert on_disk(s3.folder, needles(mine)) == set(needles(mine))  # or the search would prove nothing
    done = forget(store, "Q", "Q-train1")
    assert done.reclaimed
    assert on_disk(s3.folder, needles(mine)) == set()
    assert on_disk(s3.folder, needles(theirs)) == set(needles(theirs))
    assert verify(store, "Q") == []


def test_what_another_server_keeps_on_its_disk_is_not_known(s3, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"s3://tests/{uuid4().hex}")
    pack(make_samples("A", SIZES, 0), store, "A", contract={})
    monkeypatch.delenv(SERVICES)
    assert not forget(store, "A", SUBJECT).reclaimed


def test_a_server_that_does_not_take_its_deletions_to_disk_is_named(s3, monkeypatch: pytest.MonkeyPatch):
    store = open_store(f"s3://tests/{uuid4().hex}")
    pack(make_samples("A", SIZES, 0), store, "A", contract={})
    with monkeypatch.context() as patch:
        patch.setenv(SERVICES, f"{s3.endpoint} 127.0.0.1:1 127.0.0.1:1")
        with pytest.raises(
            StorageError, match=r"still keeps deleted objects on its disk \(.*give the command again"
        ):
            forget(store, "A", SUBJECT)
    # Given again, there is nothing left to delete, but the disk is seen to.
    with pytest.raises(DataError, match="has no subject"):
        forget(store, "A", SUBJECT)
