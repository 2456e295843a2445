"""A copied domain is the same domain; a copy that was interrupted is invisible and can be continued."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.copy import copy
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import Store, open_store
from tests.data.test_streams import same
from tests.faults import Faults, proxy
from tests.samples import SIZE, make_samples


@pytest.fixture
def source(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "here"))
    pack(make_samples("A", {"train": (12, 20)}), store, "A", contract={}, shard_bytes=20_000)
    return store


def batches(store: Store):
    return list(scan(store, Manifest.open(store, "A"), None, image_size=SIZE, batch=8))


def test_a_copy_on_s3_has_the_same_fingerprint_and_samples(source, s3):
    target = open_store("s3://tests/copied")
    manifest = copy(source, "A", target)
    assert manifest.fingerprint == Manifest.open(source, "A").fingerprint
    assert all(map(same, batches(target), batches(source)))
    assert copy(source, "A", target).fingerprint == manifest.fingerprint
    assert len(versions(target, "A")) == 1  # the second copy had nothing to do


def test_the_copy_becomes_the_newest_state_of_a_domain_that_is_there(source, tmp_path: Path):
    target = open_store(str(tmp_path / "there"))
    pack(make_samples("A", {"train": (4, 4)}), target, "A", contract={})
    copy(source, "A", target)
    assert Manifest.open(target, "A").fingerprint == Manifest.open(source, "A").fingerprint
    assert len(versions(target, "A")) == 2


def test_an_interrupted_copy_shows_nothing_and_is_continued(source, s3, monkeypatch):
    target = open_store("s3://tests/interrupted")
    last = Manifest.open(source, "A").shards[-1]
    with proxy(s3.endpoint, Faults(forbidden=1.0, within=last.name)) as ill, monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        with pytest.raises(StorageError):
            copy(source, "A", open_store("s3://tests/interrupted"))
    written = set(target.list("A"))
    assert written
    assert versions(target, "A") == []
    copy(source, "A", target)
    assert all(map(same, batches(target), batches(source)))


def test_a_damaged_shard_is_refused_by_name(source, tmp_path: Path):
    shard = Manifest.open(source, "A").shards[0]
    path = tmp_path / "here/A" / shard.name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    target = open_store(str(tmp_path / "there"))
    with pytest.raises(DataError, match=f"{shard.name} does not match the hash"):
        copy(source, "A", target)
    assert versions(target, "A") == []


def test_a_missing_shard_is_named(source, tmp_path: Path):
    shard = Manifest.open(source, "A").shards[0]
    (tmp_path / "here/A" / shard.name).unlink()
    with pytest.raises(DataError, match=f"{shard.name} is missing though the manifest lists it"):
        copy(source, "A", open_store(str(tmp_path / "there")))
