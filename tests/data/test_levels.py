"""Sharpness, noise and JPEG quality vary within the settings, and nothing else varies."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import assume, given
from hypothesis import strategies as st

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Augmentation
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.data.reading.augment import augment
from rfmeta_dist.data.reading.levels import Levels, apply, draw

STILL = {"flip": 0, "crop": 0, "brightness": 0, "contrast": 0, "saturation": 0, "cutout": 0}
KEYS = st.tuples(st.integers(0, 9), st.text(max_size=4), st.integers(0, 9))
LEVELS = st.fixed_dictionaries(
    {
        "blur": st.floats(0, 10),
        "noise": st.floats(0, 1),
        "sharpness": st.floats(0, 5),
        "coding": st.integers(1, 100),
    }
)
NONE = Levels(0.0, 0.0, 0.0, 100)


def picture(seed: int = 0) -> np.ndarray:
    """Make a picture of fine and coarse structure, without values that sharpening would clip."""
    fine = generator("picture", seed).integers(0, 256, (64, 64, 3), np.uint8)
    coarse = cv2.resize(fine[:8, :8], (64, 64), interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(cv2.addWeighted(fine, 0.3, coarse, 0.7, 0), 0.4, np.full_like(fine, 128), 0.6, 0)


def energy(image: np.ndarray) -> float:
    """Return the mean square of the gradient."""
    values = image.astype(float)
    return float(np.square(np.diff(values, axis=0)).mean() + np.square(np.diff(values, axis=1)).mean())


def ramp(*shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)) * 37 % 256).astype(np.uint8).reshape(shape)


def flat(value: int) -> np.ndarray:
    return np.full((256, 256, 3), value, np.uint8)


def test_what_is_off_leaves_the_bits_of_earlier_versions():
    """Mirror image, brightness, contrast and a black square, of a version that had no levels."""
    image, depth = ramp(64, 64, 3), ramp(8, 8)
    settings = Augmentation(flip=0.5, crop=0, brightness=0.3, contrast=0.4, saturation=0, cutout=0.3)
    whole = hashlib.sha256()
    for epoch in range(20):
        for pixels in augment(image, depth, (0, "k", epoch), settings):
            whole.update(np.ascontiguousarray(pixels))
    assert whole.hexdigest() == "6b40f504a7f5004c1becf9793cee0ee1b9dc5bf54c2888abbe73e7e3750edfc3"


@given(KEYS, LEVELS)
def test_levels_move_no_other_draw_and_no_depth(key, levels):
    """Crop, mirroring and cut-out are drawn as before, and depth has the same bits."""
    image, depth = picture(), generator("depth").integers(1, 256, (8, 8), np.uint8)
    settings = {"flip": 0.5, "crop": 0.4, "cutout": 0.4}
    before, moved = augment(image, depth, key, Augmentation(**settings))
    after, same = augment(image, depth, key, Augmentation(**settings, **levels))
    assert np.array_equal(moved, same)
    black = (before == 0).all(axis=2)
    assert (after[black] == 0).all()


@given(KEYS, LEVELS)
def test_the_key_alone_decides_and_the_sample_is_left_as_it_was(key, levels):
    image, depth = picture(), np.zeros((8, 8), np.uint8)
    kept, settings = image.copy(), Augmentation(**STILL, **levels)
    first, again = (augment(image, depth, key, settings)[0] for _ in range(2))
    assert np.array_equal(first, again)
    assert (first.shape, first.dtype) == (image.shape, image.dtype)
    assert np.array_equal(image, kept)


@given(KEYS, LEVELS)
def test_no_level_is_beyond_what_is_asked_for(key, levels):
    drawn = draw(key, Augmentation(**levels))
    assert 0 <= drawn.blur <= levels["blur"]
    assert 0 <= drawn.noise <= levels["noise"]
    assert 0 <= drawn.sharpness <= levels["sharpness"]
    assert levels["coding"] <= drawn.coding <= 100


def test_each_level_covers_its_range_evenly_and_on_its_own():
    settings = Augmentation(blur=2, noise=0.1, sharpness=3, coding=41)
    drawn = np.array([draw((0, "k", epoch), settings) for epoch in range(6000)])
    shares = (drawn - [0, 0, 0, 40.5]) / [2, 0.1, 3, 60]
    for share in shares.T:
        counts, _ = np.histogram(share, 10, (0, 1))
        assert abs(counts - 600).max() < 5 * 600**0.5
    assert set(drawn[:, 3].astype(int)) == set(range(41, 101))
    assert abs(np.corrcoef(shares.T) - np.eye(4)).max() < 5 / 6000**0.5


def test_levels_are_drawn_apart_from_the_other_variations():
    """If the draws were correlated, mirrored images could be sharper than others."""
    still = STILL | {"flip": 0.5, "brightness": 0.5}
    settings, image, depth = (
        Augmentation(**still, blur=1, noise=1, sharpness=1, coding=1),
        flat(100)[:64, :64],
        ramp(8, 8),
    )
    rows = []
    for epoch in range(3000):
        seen, mirrored = augment(image, depth, (0, epoch), Augmentation(**still))
        rows.append([*draw((0, epoch), settings), seen.mean(), mirrored[0, 0] == depth[0, 0]])
    correlations = np.corrcoef(np.array(rows, float).T)[:4, 4:]
    assert abs(correlations).max() < 5 / 3000**0.5


def test_changing_one_setting_leaves_what_the_others_draw():
    one, other = Augmentation(blur=1, noise=0.1, coding=50), Augmentation(blur=2, noise=0.1, coding=50)
    for epoch in range(20):
        first, second = draw((0, "k", epoch), one), draw((0, "k", epoch), other)
        assert (first.noise, first.coding) == (second.noise, second.coding)
        assert second.blur == 2 * first.blur


@given(KEYS, st.floats(0.004, 0.08))
def test_noise_at_middle_grey_has_the_deviation_that_was_drawn(key, deviation):
    noisy = apply(flat(118), NONE._replace(noise=deviation), key).astype(float)
    rounding = 1 / 12
    assert noisy.mean() == pytest.approx(118, abs=5 * 255 * deviation / noisy.size**0.5 + 0.01)
    # Weak noise has few whole levels to choose from, which moves its deviation by up to two percent.
    assert noisy.std() == pytest.approx(((255 * deviation) ** 2 + rounding) ** 0.5, rel=0.035)


def test_noise_is_distributed_normally():
    noise = (apply(flat(118), NONE._replace(noise=0.05), (0,)) - 118.0).ravel() / (255 * 0.05)
    for level, share in ((0.5, 0.3829), (1, 0.6827), (2, 0.9545)):
        assert (abs(noise) < level).mean() == pytest.approx(share, abs=0.015)
    assert 2.7 < abs(noise).max() < 3.1


def test_noise_is_that_of_a_sensor_more_in_the_dark_than_in_the_light():
    levels = NONE._replace(noise=0.02)
    deviations = [float(apply(flat(value), levels, (0,)).std()) for value in (40, 80, 118, 160, 220)]
    assert deviations == sorted(deviations, reverse=True)
    assert deviations[0] > 1.3 * deviations[2] > 1.3 * 1.1 * deviations[4]


def test_noise_differs_from_sample_to_sample_and_from_channel_to_channel():
    levels = NONE._replace(noise=0.05)
    first, second = (apply(flat(118), levels, (0, name)).astype(float) for name in "ab")
    columns = np.array([*first.reshape(-1, 3).T, *second.reshape(-1, 3).T])
    assert abs(np.corrcoef(columns) - np.eye(6)).max() < 0.02


@given(KEYS, st.integers(0, 20), st.floats(0, 10))
def test_softening_lowers_the_energy_of_the_gradient(key, seed, blur):
    before, after = picture(seed), apply(picture(seed), NONE._replace(blur=blur), key)
    assert energy(after) <= energy(before)
    assume(blur > 0.5)
    assert energy(after) < 0.8 * energy(before)


@given(KEYS, st.integers(0, 20), st.floats(0, 5))
def test_sharpening_raises_the_energy_of_the_gradient(key, seed, sharpness):
    before, after = picture(seed), apply(picture(seed), NONE._replace(sharpness=sharpness), key)
    assert energy(after) >= energy(before)
    assume(sharpness > 0.2)
    assert energy(after) > (1 + 0.5 * sharpness) * energy(before)


def test_coding_is_that_of_a_jpeg_of_the_quality_drawn():
    image, depth = picture(), np.zeros((8, 8), np.uint8)
    settings = Augmentation(**STILL, coding=20)
    errors: dict[int, float] = {}
    for epoch in range(200):
        quality = draw((0, epoch), settings).coding
        coded = augment(image, depth, (0, epoch), settings)[0]
        data = simplejpeg.encode_jpeg(image, quality=quality, colorsubsampling="420")
        expected = image if quality == 100 else simplejpeg.decode_jpeg(data)
        assert np.array_equal(coded, expected)
        errors[quality] = float(np.square(coded.astype(float) - image).mean())
    worst = [np.mean([e for q, e in errors.items() if q // 20 == part]) for part in (1, 2, 3, 4)]
    assert worst == sorted(worst, reverse=True)


def test_levels_follow_one_another_as_in_a_camera():
    """The lens blur comes before the noise, and sharpening and JPEG come after it."""
    levels, key = Levels(2.0, 0.03, 1.0, 60), (0, "k")
    image = picture()
    for name in Levels._fields:
        image = apply(image, NONE._replace(**{name: getattr(levels, name)}), key)
    assert np.array_equal(image, apply(picture(), levels, key))
    assert energy(apply(picture(), levels._replace(coding=100), key)) > energy(
        apply(picture(), NONE._replace(noise=0.03, blur=2.0), key)
    )


@pytest.mark.parametrize(
    "change", [{"blur": -1}, {"noise": 1.5}, {"sharpness": 6}, {"coding": 0}, {"coding": 101}, {"coding": 50.5}]
)
def test_unfit_levels_are_refused(change):
    data = {"prefix": "s3://b/p", "sources": ["A", "B"], "target": "C", "augmentation": change}
    with pytest.raises(ConfigError, match=rf"data\.augmentation\.{next(iter(change))}="):
        check({"run": {"name": "r"}, "data": data}, "test")
