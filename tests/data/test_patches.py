"""Patches have the stored pixels, places that depend on the key alone, and depth aligned with the image."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.augmentation import Augmentation
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.patches import Patches, Place
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.patches import cut_patch
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import make_native_samples

SIDE = 32
SIZES = {"train": (6, 10), "test": (5, 4)}
RULES = st.builds(Patches, grid=st.integers(1, 8), middle=st.floats(0.05, 1))
CROPS = st.integers(SIDE, 1024)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(str(tmp_path_factory.mktemp("patches")))


@pytest.fixture(scope="module")
def manifest(store: Store) -> Manifest:
    return pack(make_native_samples("A", SIZES), store, "A", contract={}, shard_bytes=12_000, native=True)


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    """Return the decoded crops by key."""
    found = {}
    for sample in make_native_samples("A", SIZES):
        side = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR).shape[0]
        found[sample.key] = decode_image(sample.image, sample.image_ext, (side, side))
    return found


def stream(store: Store, manifest: Manifest, augmentation: Augmentation | None = None) -> DomainStream:
    return DomainStream(
        store,
        manifest,
        split="train",
        batch=4,
        image_size=SIDE,
        seed=1,
        augmentation=augmentation,
        patches=Patches(),
    )


def same(one: RawBatch, other: RawBatch) -> bool:
    arrays = ("image", "depth", "label", "place")
    return one.keys == other.keys and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


@given(RULES, CROPS, st.integers(0, 99))
def test_every_patch_lies_inside_its_crop_and_its_middle_in_the_middle_of_it(rule, crop, number):
    places = [*rule.scored(crop, SIDE), rule.drawn(crop, SIDE, (0, "k", number))]
    for start in (value for place in places for value in place):
        assert 0 <= start <= crop - SIDE
        assert abs(start + SIDE / 2 - crop / 2) <= rule.middle * crop / 2 + 0.5


@given(RULES, CROPS)
def test_the_grid_is_regular_symmetric_and_reaches_as_far_as_a_draw(rule, crop):
    assume(rule.grid > 1)
    places = rule.scored(crop, SIDE)
    assert len(set(places)) == len(places) <= rule.grid**2
    starts = sorted({place.left for place in places})
    assert places == [Place(left, top) for top in starts for left in starts]
    gaps = np.diff(starts)
    assert len(gaps) == 0 or np.ptp(gaps) <= 1
    assert abs(starts[0] - (crop - SIDE - starts[-1])) <= 1
    drawn = {rule.drawn(crop, SIDE, (0, n)).left for n in range(20)}
    assert starts[0] <= min(drawn) <= max(drawn) <= starts[-1]


def test_draws_fill_the_middle_and_depend_on_the_key_alone():
    rule = Patches()
    drawn = [rule.drawn(96, SIDE, (0, "k", epoch)) for epoch in range(2000)]
    assert drawn == [rule.drawn(96, SIDE, (0, "k", epoch)) for epoch in range(2000)]
    for starts in np.array(drawn).T:
        assert set(starts) == set(range(8, 57))  # middles from 24 to 72 of 96
        assert abs(starts.mean() - 32) < 1


@settings(deadline=None)  # the first call loads what numpy multiplies with
@given(crop=st.integers(SIDE, 150), seed=st.integers(0, 9), data=st.data())
def test_depth_is_the_mean_of_the_map_over_the_pixels_that_it_stands_for(crop, seed, data):
    left, top = data.draw(st.tuples(*[st.integers(0, crop - SIDE)] * 2))
    depth = generator("depth", seed).integers(0, 256, (32, 32), np.uint8)
    image = np.zeros((crop, crop, 3), np.uint8)
    _, part = cut_patch(image, depth, Place(left, top), SIDE)
    # By another way: a picture so fine that each pixel of map and image is a whole number of its points.
    points = np.arange(32 * crop)
    rows = slice(32 * top, 32 * (top + SIDE))
    columns = slice(32 * left, 32 * (left + SIDE))
    down, across = depth[points[rows] // crop].astype(float), points[columns] // crop
    narrow = down.reshape(SIDE // 8, -1, 32).mean(1)
    expected = narrow[:, across].reshape(SIDE // 8, SIDE // 8, -1).mean(2)
    assert np.abs(part - expected).max() <= 0.5 + 1e-5


def test_depth_of_aligned_patches_is_the_map_itself_and_lies_where_the_image_does():
    depth = generator("depth", 1).integers(0, 256, (32, 32), np.uint8)
    image = np.repeat(depth.repeat(8, 0).repeat(8, 1)[..., None], 3, axis=2)  # each shows its own depth
    for left, top in ((0, 0), (64, 128), (192, 8)):
        patch, part = cut_patch(image, depth, Place(left, top), 64)
        assert np.array_equal(part, depth[top // 8 : top // 8 + 8, left // 8 : left // 8 + 8])
        assert np.array_equal(part, patch[::8, ::8, 0])


def test_training_sees_stored_pixels_at_the_recorded_place_and_half_of_them_live(store, manifest, stored):
    for batch in islice(stream(store, manifest).batches(), 12):
        assert batch.image.shape == (4, SIDE, SIDE, 3)
        assert batch.depth.shape == (4, SIDE // 8, SIDE // 8)
        assert batch.label.tolist() == [1, 1, 0, 0]
        assert not batch.depth[2:].any()
        for key, image, (left, top, crop) in zip(batch.keys, batch.image, batch.place, strict=True):
            assert stored[key].shape[0] == crop
            assert np.array_equal(image, stored[key][top : top + SIDE, left : left + SIDE])


def test_each_epoch_draws_anew_and_a_later_start_draws_the_same(store, manifest):
    whole = list(islice(stream(store, manifest).batches(), 20))
    places: dict[str, list[tuple[int, ...]]] = {}
    for batch in whole:
        for key, place in zip(batch.keys, batch.place.tolist(), strict=True):
            places.setdefault(key, []).append(tuple(place))
    seen = [found for found in places.values() if found[0][2] > 2 * SIDE]
    assert seen
    assert all(len(found) > 3 and len(set(found)) > 1 for found in seen)
    for start in (1, 7, 18):
        assert same(next(stream(store, manifest).batches(start)), whole[start])
    first = whole[0].rows(range(1, 3))  # as workers share a batch
    assert np.array_equal(first.place, whole[0].place[1:3])


def test_augmentation_leaves_the_place_and_never_resamples(store, manifest):
    plain = list(islice(stream(store, manifest).batches(), 6))
    only_crop = Augmentation(flip=0, crop=0.5, brightness=0, contrast=0, saturation=0)
    for batch, expected in zip(stream(store, manifest, only_crop).batches(), plain, strict=False):
        assert same(batch, expected)
    mirror = only_crop.model_copy(update={"flip": 1.0})
    for batch, expected in zip(stream(store, manifest, mirror).batches(), plain, strict=False):
        assert np.array_equal(batch.image, expected.image[:, :, ::-1])
        assert np.array_equal(batch.depth, expected.depth[:, :, ::-1])
        assert np.array_equal(batch.place, expected.place)


@pytest.mark.parametrize("grid", [1, 3])
def test_a_scan_gives_each_face_its_grid_of_stored_pixels_in_batches_that_stay_small(
    store, manifest, stored, grid
):
    rule = Patches(grid)
    batches = list(scan(store, manifest, None, image_size=SIDE, batch=20, patches=rule))
    assert max(len(batch.image) for batch in batches) <= 20
    found: dict[str, list[Place]] = {}
    for batch in batches:
        assert not found.keys() & set(batch.keys)  # a face is in one batch alone
        for key, image, (left, top, crop) in zip(batch.keys, batch.image, batch.place.tolist(), strict=True):
            found.setdefault(key, []).append(Place(left, top))
            assert np.array_equal(image, stored[key][top : top + SIDE, left : left + SIDE])
            assert crop == stored[key].shape[0]
    assert found == {key: rule.scored(image.shape[0], SIDE) for key, image in stored.items()}
    assert list(found) == manifest.samples["key"].to_pylist()


def test_a_grid_larger_than_a_batch_is_read_face_by_face(store, manifest):
    batches = scan(store, manifest, "test", image_size=SIDE, batch=4, patches=Patches(5))
    assert all(len(set(batch.keys)) == 1 for batch in batches)


def test_crops_of_their_own_sizes_are_a_sound_domain_that_whole_faces_can_be_read_from(store, manifest, stored):
    smallest = min(image.shape[0] for image in stored.values())
    assert manifest.image_size == smallest < max(image.shape[0] for image in stored.values())
    assert verify(store, "A") == []
    batch = next(scan(store, manifest, None, image_size=SIDE, batch=64))
    for key, image in zip(batch.keys, batch.image, strict=True):
        assert np.array_equal(image, cv2.resize(stored[key], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    assert batch.place is None


def test_other_sizes_are_refused_unless_they_are_native_and_square(tmp_path: Path):
    store = open_store(str(tmp_path))
    samples = list(make_native_samples("A", SIZES))
    with pytest.raises(DataError, match=r"its image is \d+×\d+ pixels, but it must be \d+×\d+ like the first"):
        pack(samples, store, "A", contract={})
    flat = cv2.imencode(".png", np.zeros((40, 48, 3), np.uint8))[1].tobytes()
    with pytest.raises(DataError, match="its image is 48×40 pixels, but it must be square"):
        pack([*samples[:-1], replace(samples[-1], image=flat)], store, "A", contract={}, native=True)


def test_crops_smaller_than_a_patch_are_refused_with_what_would_fit(store, manifest):
    with pytest.raises(DataError, match=r"smaller than a patch of data\.image_size=64") as caught:
        next(scan(store, manifest, None, image_size=64, batch=8, patches=Patches()))
    assert "set data.image_size=32 for a new run" in caught.value.remedy
    assert "--size native --smallest 64" in caught.value.remedy
