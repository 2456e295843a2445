"""Streams deliver what training and evaluation need from a domain."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest
import simplejpeg

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.order import WINDOW
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import Store, open_store
from tests.samples import SIZE, make_samples

LIVE, ATTACK, BATCH = 26, 61, 6


def small_shards(store: Store, domain: str = "A", **sizes: tuple[int, int]) -> Manifest:
    sizes = sizes or {"train": (LIVE, ATTACK), "test": (4, 7)}
    return pack(make_samples(domain, sizes), store, domain, contract={}, shard_bytes=12_000)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("streams")))


@pytest.fixture(scope="module")
def manifest(store: Store) -> Manifest:
    manifest = small_shards(store)
    assert len(manifest.stream("train", 1)) > WINDOW  # or the tests would not meet a window's edge
    return manifest


def stream(store: Store, manifest: Manifest, seed: int = 3, **changes) -> DomainStream:
    options = {"split": "train", "batch": BATCH, "image_size": SIZE} | changes
    return DomainStream(store, manifest, seed=seed, **options)


def take(found: DomainStream, count: int, start: int = 0) -> list[RawBatch]:
    return list(islice(found.batches(start), count))


def same(one: RawBatch, other: RawBatch) -> bool:
    arrays = ("image", "depth", "label")
    return one.keys == other.keys and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def test_a_batch_is_half_live_half_attacks_with_the_right_pixels(store: Store, manifest: Manifest):
    samples = {sample.key: sample for sample in make_samples("A", {"train": (LIVE, ATTACK)})}
    for batch in take(stream(store, manifest), 5):
        assert batch.image.shape == (BATCH, SIZE, SIZE, 3)
        assert batch.depth.shape == (BATCH, SIZE // 8, SIZE // 8)
        assert (batch.image.dtype, batch.depth.dtype) == (np.uint8, np.uint8)
        assert batch.label.tolist() == [1, 1, 1, 0, 0, 0]
        for key, image, label in zip(batch.keys, batch.image, batch.label, strict=True):
            assert np.array_equal(image, simplejpeg.decode_jpeg(samples[key].image))
            assert samples[key].label == label
        assert batch.depth[:3].any(axis=(1, 2)).all()
        assert not batch.depth[3:].any()


def test_images_and_depth_are_resized_by_area(store: Store, manifest: Manifest):
    (small,) = take(stream(store, manifest, image_size=32), 1)
    (stored,) = take(stream(store, manifest), 1)
    assert small.keys == stored.keys
    for little, big in zip(small.image, stored.image, strict=True):
        assert np.array_equal(little, cv2.resize(big, (32, 32), interpolation=cv2.INTER_AREA))
    assert small.depth.shape == (BATCH, 4, 4)


def test_the_seed_decides_the_batches(store: Store, manifest: Manifest):
    first, again, other = (take(stream(store, manifest, seed), 12) for seed in (3, 3, 4))
    assert all(map(same, first, again))
    assert [b.keys for b in first] != [b.keys for b in other]


def test_each_sample_comes_once_an_epoch_of_its_class(store: Store, manifest: Manifest):
    batches = take(stream(store, manifest), 60)
    for half, count in ((slice(0, 3), LIVE), (slice(3, 6), ATTACK)):
        keys = [key for batch in batches for key in batch.keys[half]]
        for epoch in range(len(keys) // count):
            assert len(set(keys[epoch * count : (epoch + 1) * count])) == count


def test_starting_at_any_step_continues_the_uninterrupted_stream(store: Store, manifest: Manifest):
    whole = take(stream(store, manifest), 44)
    for start in range(40):
        for batch, expected in zip(take(stream(store, manifest), 2, start), whole[start:], strict=False):
            assert same(batch, expected)


def test_domains_with_shards_of_the_same_names_never_mix(s3):
    store = open_store(f"s3://tests/{uuid4().hex}")
    manifests = [small_shards(store, domain, train=(9, 9)) for domain in ("A", "B")]
    streams = [stream(store, manifest).batches() for manifest in manifests]
    for _ in range(8):
        for manifest, batches in zip(manifests, streams, strict=True):
            assert {key[0] for key in next(batches).keys} == {manifest.domain}


def test_a_killed_and_restarted_server_changes_nothing(s3, store: Store, manifest: Manifest):
    remote = open_store(f"s3://tests/{uuid4().hex}")
    batches = stream(remote, small_shards(remote)).batches()
    found = [next(batches) for _ in range(3)]
    s3.restart()
    found += [next(batches) for _ in range(17)]
    assert all(map(same, found, take(stream(store, manifest), 20)))


def test_abandoning_a_stream_leaves_no_thread(store: Store, manifest: Manifest):
    before = set(threading.enumerate())
    batches = stream(store, manifest).batches()
    next(batches)
    started = set(threading.enumerate()) - before
    assert started
    batches.close()
    for thread in started:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("change", [{"batch": 5}, {"batch": 0}, {"image_size": 60}, {"image_size": 0}])
def test_unfit_sizes_are_refused(store: Store, manifest: Manifest, change: dict[str, int]):
    with pytest.raises(ConfigError, match=next(iter(change))):
        stream(store, manifest, **change)


def test_a_split_with_one_class_makes_no_balanced_stream(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = small_shards(store, train=(0, 5))
    with pytest.raises(DataError, match="domain 'A' has no live samples in split 'train'"):
        stream(store, manifest)


@pytest.mark.parametrize("split", ["train", "test", None])
def test_a_scan_meets_every_sample_once_in_the_same_order(store, manifest, split):
    batches = list(scan(store, manifest, split, image_size=SIZE, batch=8))
    keys = [key for batch in batches for key in batch.keys]
    table = manifest.samples.select(["key", "label", "split"]).to_pylist()
    expected = [row for row in table if split in (None, row["split"])]
    assert keys == [row["key"] for row in expected]
    assert np.concatenate([b.label for b in batches]).tolist() == [r["label"] for r in expected]
    assert [len(b.keys) for b in batches[:-1]] == [8] * (len(batches) - 1)


def test_stored_images_are_never_enlarged(store: Store):
    manifest = small_shards(store)
    for read in (
        lambda: stream(store, manifest, image_size=2 * SIZE),
        lambda: next(scan(store, manifest, None, image_size=2 * SIZE, batch=8)),
    ):
        with pytest.raises(
            DataError,
            match=rf"domain A holds crops of {SIZE} pixels, .*smaller than data.image_size={2 * SIZE}",
        ):
            read()
