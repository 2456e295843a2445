"""Remains of interrupted work are found, and deleted unless a running process may need them."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.orphans import clean, orphans
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import make_samples

TAR = "train/live/000007-0123456789ab.tar"
TABLE = "samples-0123456789ab.parquet"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def age(store: Store, name: str, seconds: int) -> None:
    path = Path(store.url) / name
    os.utime(path, (path.stat().st_mtime + seconds,) * 2)


def test_old_orphans_go_and_those_of_work_under_way_stay(store: Store):
    pack(make_samples("A"), store, "A", contract={"version": 1})
    pack(make_samples("A", seed=1), store, "A", contract={"version": 2})
    known = store.list()
    for name, seconds in ((TAR, -60), (TABLE, -60), ("train/attack/000001-0123456789ab.tar", 60)):
        store.write(f"A/{name}", b"")
        age(store, f"A/{name}", seconds)
    store.write("A/notes.txt", b"somebody's")
    age(store, "A/notes.txt", -60)
    assert orphans(store, "A") == [TABLE, "train/attack/000001-0123456789ab.tar", TAR]
    assert clean(store, "A") == [TABLE, TAR]
    assert store.list() == sorted([*known, "A/notes.txt", "A/train/attack/000001-0123456789ab.tar"])
    assert verify(store, "A") == []
    assert clean(store, "A") == []


def test_nothing_goes_while_a_manifest_cannot_be_read(store: Store):
    pack(make_samples("A"), store, "A", contract={"version": 1})
    pack(make_samples("A"), store, "A", contract={"version": 2})
    store.write("A/manifest-000001.json", b"{")
    store.write(f"A/{TAR}", b"")
    with pytest.raises(DataError, match=r"manifest-000001\.json is not a manifest"):
        clean(store, "A")
    assert store.exists(f"A/{TAR}")


def test_times_come_from_the_server(s3):
    store = open_store(f"s3://tests/{uuid4().hex}")
    pack(make_samples("A"), store, "A", contract={})
    store.write(f"A/{TAR}", b"")
    assert orphans(store, "A") == [TAR]
    assert clean(store, "A") == []  # younger than the manifest, or not certainly older
