"""Augmentation keeps image and depth aligned and depends on its key alone."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Augmentation
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.data.reading.augment import augment
from rfmeta_dist.data.reading.stream import DomainStream
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import open_store
from tests.samples import SIZE, make_samples

NOTHING = Augmentation(flip=0, crop=0, brightness=0, contrast=0, saturation=0, cutout=0)
GEOMETRY = Augmentation(flip=0.5, crop=0.4, brightness=0, contrast=0, saturation=0, cutout=0)
SHARE = st.floats(0, 1)
SETTINGS = st.builds(
    Augmentation,
    flip=SHARE,
    crop=st.floats(0, 0.9),
    brightness=SHARE,
    contrast=SHARE,
    saturation=SHARE,
    cutout=SHARE,
)
KEYS = st.tuples(st.integers(0, 9), st.text(max_size=4), st.integers(0, 9))


def picture(seed: int, live: bool = True) -> tuple[np.ndarray, np.ndarray]:
    rng = generator("picture", seed)
    return rng.integers(0, 256, (64, 64, 3), np.uint8), rng.integers(1, 256, (8, 8), np.uint8) * np.uint8(live)


@given(KEYS, SETTINGS)
def test_the_key_alone_decides(key, settings):
    image, depth = picture(0)
    given = image.copy(), depth.copy()
    first, again = augment(image, depth, key, settings), augment(image, depth, key, settings)
    for one, other, before, untouched in zip(first, again, given, (image, depth), strict=True):
        assert np.array_equal(one, other)
        assert (one.shape, one.dtype) == (before.shape, before.dtype)
        assert np.array_equal(before, untouched)


@given(KEYS, SETTINGS)
def test_an_attack_stays_flat(key, settings):
    image, depth = picture(1, live=False)
    assert not augment(image, depth, key, settings)[1].any()


@given(KEYS)
def test_nothing_asked_is_nothing_changed(key):
    image, depth = picture(2)
    same_image, same_depth = augment(image, depth, key, NOTHING)
    assert np.array_equal(same_image, image)
    assert np.array_equal(same_depth, depth)


@given(KEYS)
def test_depth_moves_with_the_image(key):
    # An image that shows its own depth: a smooth slope, the same at both resolutions.
    big = cv2.resize(np.outer(np.linspace(60, 200, 32), np.linspace(0.4, 1.2, 32)), (256, 256))
    image = np.repeat(big[..., None], 3, axis=2).round().astype(np.uint8)
    depth = cv2.resize(image[..., 0], (32, 32), interpolation=cv2.INTER_AREA)
    image, depth = augment(image, depth, key, GEOMETRY)
    shown = cv2.resize(image[..., 0], (32, 32), interpolation=cv2.INTER_AREA)
    # One depth pixel amounts to up to five levels: a shift by one would show.
    assert np.abs(shown.astype(int) - depth).max() <= 3


def test_settings_do_what_they_say():
    image, depth = picture(3)
    settings = Augmentation(flip=1, crop=0, brightness=0, contrast=0, saturation=0, cutout=0.5)
    outcomes = [augment(image, depth, (0, "k", n), settings) for n in range(50)]
    for varied, mirrored in outcomes:
        assert np.array_equal(mirrored, depth[:, ::-1])
        assert (varied == 0).all(axis=2).sum() >= 32 * 32
    assert len({varied.tobytes() for varied, _ in outcomes}) > 40
    flips = [not np.array_equal(augment(image, depth, (0, "k", n), GEOMETRY)[1], depth) for n in range(50)]
    assert any(flips)


@pytest.mark.parametrize("change", [{"flip": -0.1}, {"cutout": 1.5}, {"crop": 1}, {"contrast": float("nan")}])
def test_unfit_settings_are_refused(change):
    data = {"prefix": "s3://b/p", "sources": ["A", "B"], "target": "C", "augmentation": change}
    with pytest.raises(ConfigError, match=rf"data\.augmentation\.{next(iter(change))}="):
        check({"run": {"name": "r"}, "data": data}, "test")


def test_a_stream_varies_each_epoch_anew_and_resumes_the_same(tmp_path: Path):
    store = open_store(str(tmp_path))
    manifest = pack(make_samples("A", {"train": (6, 12)}), store, "A", contract={}, shard_bytes=8_000)

    def take(count: int, start: int = 0, **options):
        found = DomainStream(store, manifest, split="train", batch=4, image_size=SIZE, seed=1, **options)
        return list(islice(found.batches(start), count))

    varied, plain = take(18, augmentation=Augmentation()), take(18)
    assert [batch.keys for batch in varied] == [batch.keys for batch in plain]
    seen: dict[str, set[bytes]] = {}
    for batch in varied:
        for key, image in zip(batch.keys, batch.image, strict=True):
            seen.setdefault(key, set()).add(image.tobytes())
        assert not batch.depth[2:].any()
    live = [images for key, images in seen.items() if int(key[-5:]) < 6]
    assert [len(images) for images in live] == [6] * 6  # 36 live samples are six epochs
    for start in range(16):
        (resumed,) = take(1, start, augmentation=Augmentation())
        assert np.array_equal(resumed.image, varied[start].image)
        assert np.array_equal(resumed.depth, varied[start].depth)
