"""After `forget`, no byte of the subject is in the store, even if earlier work or `forget` was interrupted."""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.orphans import orphans
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import SIZE, make_samples

SIZES = {"train": (12, 20), "test": (4, 4)}
SUBJECT = "A-train1"  # three live samples; A-train10 is another subject
CONTRACT = {"generator": "test", "skipped": ["A-train1/3: no face", "A-train10/0: no face"]}
BYTES = 8_000


def people(seed: int = 0) -> list[Sample]:
    return list(make_samples("A", SIZES, seed))


def of_subject(seed: int = 0) -> list[Sample]:
    return [sample for sample in people(seed) if sample.subject == SUBJECT]


def traces(store: Store, samples: list[Sample]) -> list[str]:
    """Return every object whose name, bytes or table contains something of these samples."""
    needles = [SUBJECT.encode() + end for end in (b'"', b"/", b"\n", b"\0")]
    for sample in samples:
        needles += [sample.key.encode(), sample.image, sample.depth[40:] if sample.label else sample.image]
    found = []
    for name in store.list():
        data = store.read(name)
        texts = [name.encode() + b"\n", data]
        if data.startswith(b"PAR1"):
            table = pq.read_table(io.BytesIO(data))
            rows = table.to_pylist()
            texts += [str(value).encode() + b"\n" for row in rows for value in row.values()]
            texts += [value for row in rows for value in row.values() if isinstance(value, bytes)]
            needles += [hashlib.sha256(sample.image).digest() for sample in samples]
        if any(needle in text for needle in needles for text in texts):
            found.append(name)
    return found


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path))
    request.getfixturevalue("s3")
    return open_store(f"s3://tests/{uuid4().hex}")


def history(store: Store) -> Manifest:
    """Make domain A with two older versions, remains of interrupted packing and ingest, and another domain."""
    pack(make_samples("B"), store, "B", contract={})
    pack(people(seed=1), store, "A", contract=CONTRACT, shard_bytes=BYTES)
    strangers = [sample for sample in people(seed=2) if sample.subject != SUBJECT]
    pack(strangers, store, "A", contract={"without": 1}, shard_bytes=BYTES)
    interrupted = store.sub("half")
    pack(people(seed=3), interrupted, "A", contract={}, shard_bytes=20_000)
    for name in interrupted.list("A"):
        if name.endswith((".tar", ".parquet")):
            store.write(name, interrupted.read(name))
    for name in interrupted.list():
        interrupted.delete(name)
    stage = Stage(store, "A", {"rule": 1})
    stage.write("mine.parquet", of_subject(), Tally("clip.mp4"))
    stage.write("other.parquet", [people()[0]], Tally("other.mp4"))
    return pack(people(), store, "A", contract=CONTRACT, shard_bytes=BYTES)


EVERY_SEED = [sample for seed in range(4) for sample in of_subject(seed)]


def test_no_byte_of_the_subject_is_left_and_nothing_else_is_lost(store: Store):
    before = history(store)
    others = {name: store.read(name) for name in store.list() if not name.startswith("A/")}
    assert len(traces(store, EVERY_SEED)) > 8

    done = forget(store, "A", SUBJECT)

    assert traces(store, EVERY_SEED) == []
    assert sorted(done.samples) == sorted(sample.key for sample in of_subject())
    assert {name: store.read(name) for name in others} == others
    assert store.exists("A/manifest-000002.json")  # it never named the subject
    assert next(name for name in store.list("A") if "staging" in name).endswith("other.parquet")
    after = Manifest.open(store, "A")
    assert verify(store, "A") == []
    assert after.fingerprint != before.fingerprint
    assert after.contract["skipped"] == ["A-train10/0: no face"]
    kept = {sample.key: sample.image for sample in people() if sample.subject != SUBJECT}
    assert {key for b in scan(store, after, None, image_size=SIZE, batch=8) for key in b.keys} == kept.keys()
    touched = {shard.name for shard in done.rewritten}
    assert {s.name for s in before.shards} - touched <= {s.name for s in after.shards}
    # Of what the interrupted pack left, only shards with the subject went.
    assert [name for name in orphans(store, "A") if name.startswith("test/")] != []


def test_a_rewritten_shard_is_as_if_the_subject_had_never_been(tmp_path: Path):
    stores = [open_store(str(tmp_path / name)) for name in ("with", "without")]
    for store, samples in zip(stores, (people(), [s for s in people() if s.subject != SUBJECT]), strict=True):
        pack(samples, store, "A", contract={}, shard_bytes=1 << 20)
    forget(stores[0], "A", SUBJECT)
    first, second = (Manifest.open(store, "A") for store in stores)
    assert first.shards == second.shards
    assert first.samples.equals(second.samples)
    assert versions(stores[0], "A") == ["manifest-000002.json"]
    with pytest.raises(DataError, match=f"domain 'A' .* has no subject '{SUBJECT}'"):
        forget(stores[0], "A", SUBJECT)


def test_an_unknown_subject_is_refused_and_nothing_changes(tmp_path: Path):
    store = open_store(str(tmp_path))
    history(store)
    before = store.list()
    for unknown in ("A-train", "A-train99"):
        with pytest.raises(DataError, match=f"has no subject '{unknown}'"):
            forget(store, "A", unknown)
    with pytest.raises(DataError, match="is empty"):
        forget(store, "A", "")
    with pytest.raises(DataError, match="no domain 'C'"):
        forget(store, "C", SUBJECT)
    assert store.list() == before


class KilledError(Exception):
    """Stands for the end of the process."""


@dataclass
class Mortal:
    """A store that raises KilledError after a number of changes, as if the process were killed."""

    inner: Store
    left: list[int] = field(default_factory=lambda: [0])

    @property
    def url(self) -> str:
        return self.inner.url

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def _change(self) -> None:
        if self.left[0] == 0:
            raise KilledError
        self.left[0] -= 1

    def write(self, name: str, data: bytes) -> None:
        self._change()
        self.inner.write(name, data)

    def create(self, name: str, data: bytes) -> None:
        self._change()
        self.inner.create(name, data)

    def delete(self, name: str) -> None:
        self._change()
        self.inner.delete(name)

    def sub(self, name: str) -> Mortal:
        return Mortal(self.inner.sub(name), self.left)


def test_an_interrupted_forget_is_completed_by_the_next(tmp_path: Path):
    history(open_store(str(tmp_path / "before")))
    whole = open_store(str(shutil.copytree(tmp_path / "before", tmp_path / "whole")))
    forget(whole, "A", SUBJECT)
    changes = 0
    while True:
        store = open_store(str(shutil.copytree(tmp_path / "before", tmp_path / str(changes))))
        try:
            forget(Mortal(store, [changes]), "A", SUBJECT)
        except KilledError:
            assert verify(store, "A") == []  # readers are never left without a whole domain
            forget(store, "A", SUBJECT)
        else:
            break
        finally:
            assert traces(store, EVERY_SEED) == []
        assert store.list() == whole.list()
        changes += 1
    assert changes > 10


def test_forgetting_comes_after_whoever_published_meanwhile(tmp_path: Path):
    store = open_store(str(tmp_path))
    pack(people(), store, "A", contract={"try": 1}, shard_bytes=BYTES)

    @dataclass
    class Raced(Mortal):
        """A store in which another process publishes a manifest just before this one."""

        def create(self, name: str, data: bytes) -> None:
            if not store.exists("A/manifest-000002.json"):
                pack(people(seed=1), store, "A", contract={"try": 2}, shard_bytes=BYTES)
            self.inner.create(name, data)

        def sub(self, name: str) -> Raced:
            return Raced(self.inner.sub(name), self.left)

    forget(Raced(store, [10**6]), "A", SUBJECT)
    assert traces(store, EVERY_SEED) == []
    after = Manifest.open(store, "A")
    assert after.contract == {"try": 2, "forgotten_subjects": 1}
    assert verify(store, "A") == []


def test_what_only_deleted_versions_used_goes_with_them(tmp_path: Path):
    store = open_store(str(tmp_path))
    for seed in (1, 2, 0):
        pack(people(seed), store, "A", contract={}, shard_bytes=BYTES)
    forget(store, "A", SUBJECT)
    assert versions(store, "A") == ["manifest-000004.json"]
    assert orphans(store, "A") == []
    assert verify(store, "A") == []


def test_the_last_subject_can_go_too(tmp_path: Path):
    store = open_store(str(tmp_path))
    samples = [sample for sample in people() if sample.subject == SUBJECT]
    pack(samples, store, "A", contract={})
    forget(store, "A", SUBJECT)
    assert traces(store, samples) == []
    assert Manifest.open(store, "A").samples.num_rows == 0
    assert verify(store, "A") == []


def test_a_damaged_shard_stops_it_before_anything_changes(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = pack(people(), store, "A", contract={})
    bad = next(s for s in manifest.shards if any(r["subject_id"] == SUBJECT for r in manifest.rows(s)))
    store.write(f"A/{bad.name}", b"")
    with pytest.raises((DataError, StorageError), match=bad.name):
        forget(store, "A", SUBJECT)
    assert Manifest.open(store, "A") == manifest
