"""With a faulty store, a stream delivers exactly the same batches, or one error names the object."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import AccessError, Store, open_store
from rfmeta_dist.storage.s3 import Patience, S3Store
from tests.data.test_streams import same
from tests.faults import Faults, proxy
from tests.samples import SIZE, make_samples

EPOCH, BATCH = 1000, 10


@pytest.fixture(scope="module")
def packed(s3) -> tuple[Store, Manifest]:
    """Pack 1,000 samples into about 100 shards on S3, under a fixed name, because the faults depend on it."""
    store = open_store("s3://tests/faults")
    samples = make_samples("A", {"train": (EPOCH // 2, EPOCH // 2)})
    manifest = pack(samples, store, "A", contract={}, shard_bytes=30_000)
    assert len(manifest.shards) > 90
    return store, manifest


def stream(store: Store, manifest: Manifest, **options) -> DomainStream:
    return DomainStream(store, manifest, split="train", batch=BATCH, image_size=SIZE, seed=1, **options)


def epoch(found: DomainStream):
    return islice(found.batches(), EPOCH // BATCH)


def test_an_epoch_through_faults_and_a_restart_is_the_epoch_without(s3, packed, monkeypatch):
    store, manifest = packed
    expected = list(epoch(stream(store, manifest)))
    with proxy(s3.endpoint, Faults(unavailable=0.05, reset=0.05, cut=0.02, seed=4)) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        found = stream(store, Manifest.open(store, "A"))
        batches = []
        for number, batch in enumerate(epoch(found)):
            batches.append(batch)
            if number == 30:
                s3.restart()
    assert all(map(same, batches, expected))
    assert len({key for batch in batches for key in batch.keys}) == EPOCH
    assert all(ill.met[kind] for kind in ("unavailable", "reset", "cut"))
    assert found.totals.retries > 0


def test_an_epoch_reads_every_byte_once(s3, packed, monkeypatch, tmp_path: Path):
    store, manifest = packed
    size = sum(shard.size for shard in manifest.shards)
    with proxy(s3.endpoint, Faults()) as watched:
        monkeypatch.setenv("AWS_ENDPOINT_URL", watched.endpoint)
        cache = Cache(tmp_path / "cache")
        first = stream(store, manifest, cache=cache)
        assert len(list(epoch(first))) == EPOCH // BATCH
        again = stream(store, manifest, cache=cache)
        assert len(list(epoch(again))) == EPOCH // BATCH
    tars = {path: sent for path, sent in watched.sent.items() if path.endswith(".tar")}
    assert sum(tars.values()) <= 1.02 * size
    # The first reader may end before its last shard has been fetched ahead; then the second one fetches it.
    assert first.totals.bytes_read + again.totals.bytes_read <= 1.02 * size
    assert again.totals.shards_read <= 1
    assert again.totals.cache_hits + again.totals.shards_read >= len(manifest.shards)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [("forbidden", AccessError, "access denied"), ("missing", DataError, "is missing")],
)
def test_what_cannot_pass_fails_at_once_and_is_named(s3, packed, monkeypatch, fault, kind, words):
    store, manifest = packed
    shard = manifest.stream("train", 1)[0]
    if fault == "missing":
        manifest = replace(manifest, shards=tuple(replace(s, name=f"{s.name}.gone") for s in manifest.shards))
    faults = Faults(forbidden=float(fault == "forbidden"), within=shard.name)
    with proxy(s3.endpoint, faults) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        started = time.monotonic()
        with pytest.raises(kind, match=rf"s3://tests/.*/A/train/live/.*\.tar.*{words}"):
            list(epoch(stream(store, manifest)))
    assert time.monotonic() - started < 5
    assert ill.met["forbidden"] <= 1


PARTS = ("manifest-", "samples-", "shards-", ".tar")
FATES = ("cut", "short", "reset", "unavailable")
# Objects are read alike, so every fault meets a shard and a manifest, and one fault the tables, which the test
# below lets be short. A listing has no checksum, so it also meets an answer that seems whole.
MET = [(part, fault) for part in (".tar", "manifest-") for fault in FATES]
MET += [("samples-", "cut"), ("shards-", "cut"), ("list-type", "cut"), ("list-type", "short")]
REST = [(part, fault) for part in (*PARTS, "list-type") for fault in FATES if (part, fault) not in MET]


@pytest.mark.parametrize(
    ("part", "fault"), [*MET, *(pytest.param(*both, marks=pytest.mark.drill) for both in REST)]
)
def test_an_answer_that_fails_is_asked_for_again_whatever_it_was_to_be(s3, packed, monkeypatch, part, fault):
    store, manifest = packed
    (expected,) = islice(stream(store, manifest).batches(), 1)
    with proxy(s3.endpoint, Faults(**{fault: 1.0}, within=part, times=2)) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        opened = Manifest.open(store, "A")
        (batch,) = islice(stream(store, opened).batches(), 1)
    assert ill.met[fault] == 2
    assert opened == manifest
    assert same(batch, expected)


@pytest.mark.parametrize("part", PARTS)
def test_an_answer_that_is_always_short_is_named(s3, packed, monkeypatch, part):
    store, _ = packed
    with proxy(s3.endpoint, Faults(short=1.0, within=part)) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        with pytest.raises(DataError, match=f"{part}.* (is not a manifest|does not match|is damaged)"):
            list(epoch(stream(store, Manifest.open(store, "A"))))
        assert ill.met["short"] >= 5


# What drips is never silent for long, so only the limit of the whole answer ends it; that ends a stall as well.
@pytest.mark.parametrize("fault", [pytest.param("stall", marks=pytest.mark.drill), "drip"])
def test_an_answer_that_does_not_end_meets_the_deadline(s3, packed, monkeypatch, fault):
    store, manifest = packed
    shard = manifest.stream("train", 1)[0]
    # Long enough for the other shards, which are read at the same time, on a machine that is busy.
    patient = S3Store(store.url, Patience(deadline=5.0))
    with proxy(s3.endpoint, Faults(**{fault: 1.0}, within=shard.name)) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        started = time.monotonic()
        with pytest.raises(StorageError, match=rf"{shard.name}: .* did not answer in full within the time"):
            list(epoch(stream(patient, manifest)))
    assert 4 < time.monotonic() - started < 15


def test_a_store_that_stays_ill_is_given_up_within_the_deadline(s3, packed, monkeypatch):
    store, manifest = packed
    with proxy(s3.endpoint, Faults(unavailable=1.0)) as ill:
        monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
        started = time.monotonic()
        with pytest.raises(StorageError, match=r"\.tar: the server answered 503"):
            list(epoch(stream(S3Store(store.url, Patience(deadline=2.0)), manifest)))
    assert time.monotonic() - started < 4
