"""Features of image distortion equal a second computation and values worked out by hand, and are never NaN."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from rfmeta_dist.core.seeds import octets
from rfmeta_dist.texture import distortion, images
from rfmeta_dist.texture.distortion import Distortion
from rfmeta_dist.texture.specular import specular
from tests import texture_reference as reference


def smooth(count: int, side: int) -> np.ndarray:
    """Return images with large areas, edges and a bright spot, in which light is specular here and there."""
    noise = octets(count * 6 * 6 * 3, "smooth").reshape(count, 6, 6, 3)
    faces = np.stack([np.kron(one, np.ones((side // 6, side // 6, 1))) for one in noise]) * 0.6
    faces += octets(count * side * side, "light").reshape(count, side, side, 1) / 8
    faces[:, 4:8, 4:8] += 60
    return np.clip(faces, 0, 255).astype(np.uint8)


FACES = smooth(3, 18)


def test_light_is_separated_as_by_visiting_the_pixels_one_by_one() -> None:
    found = specular(FACES)
    for face, light in zip(FACES, found, strict=True):
        np.testing.assert_array_equal(light, reference.specular(face))
    assert (np.abs(found) > 1).mean() > 0.2  # the images do have highlights


def test_an_image_without_highlights_has_none_instead_of_nan() -> None:
    flat = np.full((2, 16, 16, 3), 90, np.uint8)
    flat[1] = 0
    assert distortion.highlights(flat).tolist() == [[0, 0, 0]] * 2
    found = Distortion().features(flat)
    assert np.isfinite(found).all()
    # all the same colour: no deviation and skewness, one colour covers all pixels, no steps, no edges
    assert found[0, 3:8].tolist() == [0.5, 0, 0, 0, 0]
    assert found[0, 13:18] == pytest.approx([90 / 255, 0, 0, 0, 0])
    assert found[0, 18:21].tolist() == [1, 0, 0]
    assert found[0, -3:].tolist() == [0, 1, 0]


def test_statistics_of_specular_pixels() -> None:
    light = np.clip(specular(FACES[:1])[0], 0, None)
    chosen = light[(light >= 1.5 * light.mean()) & (light < 4 * light.mean())]
    wanted = [chosen.size / light.size, chosen.mean() / 150, chosen.std() / 150]
    assert distortion.highlights(FACES[:1])[0] == pytest.approx(wanted)
    assert chosen.size > 5


def test_moments_of_colour() -> None:
    pixels = FACES[0].reshape(-1, 3) / 255
    channels = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in pixels])
    np.testing.assert_allclose(images.hsv(FACES[:1]).reshape(-1, 3), channels, atol=1e-15)
    channels[:, 0] += 0.5
    channels[channels[:, 0] > 1, 0] -= 1
    wanted = []
    for channel in channels.T:
        mean, deviation = channel.mean(), channel.std()
        skewness = (((channel - mean) / deviation) ** 3).mean()
        nearest = np.clip(np.rint(channel * 20 + 1e-12), 1, 20)  # bins with centres 0.05 … 1, 20 in all
        wanted += [mean, deviation, skewness, (nearest <= 2).mean(), (nearest >= 19).mean()]
    assert distortion.chromatic(FACES[:1])[0] == pytest.approx(wanted)


def test_colours_are_counted_at_32_levels() -> None:
    face = np.zeros((1, 10, 20, 3), np.uint8)
    face[0, :3] = (255, 0, 7)  # 60 pixels; 7 is of the lowest level
    face[0, 3] = np.array([[8 * k, 200, 9] for k in range(20)])  # 20 colours, once each
    found = distortion.diversity(face)[0]
    assert found[:3] == pytest.approx([120 / 200, 60 / 200, 1 / 200])
    assert found[22] == 0
    # 0.9 + 19/200 > 0.99: the 21st colour in the order is number 20 from 0
    assert found[100] == pytest.approx(20 / 2000)


def test_blur_and_width_of_an_edge() -> None:
    sharp = np.full((1, 24, 24), 50, np.uint8)
    sharp[:, :, 12:] = 200
    wide = sharp.copy()
    wide[:, :, 10:14] = [80, 110, 140, 170]
    # The step is at columns 11 and 12; no slope beside them, so each walk goes to the image's sides, where the
    # values stay equal: 23 columns.
    assert distortion.edge_width(sharp).tolist() == [23]
    hill = np.tile(np.array([9, 5, 25, 45, 65, 90, 60, 8, 3, 7, 7, 7], np.uint8), (12, 1))[None]
    (edge,) = np.unique(np.nonzero(distortion._edges(hill.astype(np.int64)))[2])
    assert edge == 6  # the steepest part; the slope leads from the top at 5 down to the valley at 8
    assert distortion.edge_width(hill).tolist() == [3]
    steps, blur = (distortion.reblur(image)[0] for image in (sharp, wide))
    assert 0 <= steps <= blur <= 1
    # Rows are equal, so a mean along them leaves their steps as they are, and across them all steps are 0.
    assert distortion.reblur(np.tile(np.arange(0, 48, 2, dtype=np.uint8), (24, 1))[None])[0] == 1.0


def test_features_have_their_order_and_do_not_depend_on_other_crops() -> None:
    found = Distortion().features(FACES)
    assert found.shape == (3, 121) == (3, Distortion().length)
    assert np.array_equal(found[:, :3], distortion.highlights(FACES))
    assert np.array_equal(found[:, 18:119], distortion.diversity(FACES))
    assert np.array_equal(Distortion().features(FACES[2:]), found[2:])
    large = np.repeat(np.repeat(FACES, 16, axis=1), 16, axis=2)
    assert np.array_equal(Distortion().features(large), Distortion().features(images.resized(large, 144)))
