"""Local patterns and phases equal those of other code, and of their definitions, pixel by pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.seeds import octets
from rfmeta_dist.texture import images
from rfmeta_dist.texture.coalbp import coalbp
from rfmeta_dist.texture.colour import ColourTexture
from rfmeta_dist.texture.lbp import MultiscaleLbp, bins, lbp, uniform_labels
from rfmeta_dist.texture.lpq import fourier, lpq, whitening
from tests import texture_reference as reference

# Labels that scikit-image 0.26.0 gives: local_binary_pattern(IMAGE, points, radius, method="nri_uniform"),
# without the border of `radius` pixels.
SKIMAGE = {
    (8, 1): (
        "58 19 0 57 0 50 8 47 54 36 57 0 23 58 7 50 7 58 10 3 58 58 41 25 7 50 7 58 57 1 57 3 40 "
        "57 24 50 51 57 3 50 1 0 57 36 58 57 19 45 0 57 58 39 58 58 5 54 58 58 7 58 0 5 49 7 58 "
        "58 7 42 58 50 52 58 56 57 58 56 57 57 11 57 58 1 0 58 58 3 58 10 1 0 58 57 58 57 9 0 57 "
        "17 16 57"
    ),
    (8, 2): (
        "3 1 32 0 50 5 58 58 58 41 58 7 33 58 58 58 0 49 57 58 52 57 57 1 0 57 56 52 57 51 52 1 "
        "58 58 22 58 57 58 18 58 7 54 38 55 54 36 53 44 58 57 57 56 56 57 57 58 58 0 58 58 0 58 "
        "58 0"
    ),
    (16, 2): (
        "242 17 242 0 228 242 242 242 242 177 242 242 162 242 242 242 0 193 241 242 232 241 231 1 "
        "0 241 207 242 241 230 199 1 242 242 75 242 227 242 100 242 13 242 139 242 242 135 242 "
        "183 242 241 241 242 240 241 241 242 242 0 242 242 0 242 242 0"
    ),
}
IMAGE = octets(144, "lbp").reshape(12, 12)
IMAGE[4:9, 3:9] = IMAGE[4:9, 3:9] // 64 * 8  # neighbours of equal values
FACES = octets(2 * 70 * 70 * 3, "faces").reshape(2, 70, 70, 3)


@pytest.mark.parametrize(("points", "radius"), SKIMAGE)
def test_the_labels_are_those_of_scikit_image(points: int, radius: int) -> None:
    found = lbp(IMAGE[None], points, radius)[0]
    assert found.ravel().tolist() == [int(label) for label in SKIMAGE[points, radius].split()]


@pytest.mark.parametrize("points", [8, 16])
def test_a_neighbour_that_equals_its_centre_is_one_whatever_the_rounding(points: int) -> None:
    steps = (IMAGE // 100).astype(np.uint8) * 77  # three grey levels, so many neighbours tie exactly
    found = lbp(steps[None], points, 2)[0]
    wanted = [[reference.lbp_label(steps, y, x, points, 2) for x in range(2, 10)] for y in range(2, 10)]
    assert found.tolist() == wanted
    assert (lbp(np.full((1, 9, 9), 201, np.uint8), points, 2) == points * (points - 1) + 1).all()


def test_each_uniform_pattern_has_a_label_of_its_own() -> None:
    for points, count in ((8, 59), (16, 243)):
        labels = uniform_labels(points)
        assert bins(points) == count
        found, times = np.unique(labels, return_counts=True)
        assert found.tolist() == list(range(count))
        assert (times[:-1] == 1).all()
    assert [reference.uniform_label([p >> i & 1 for i in range(8)]) for p in range(256)] == (
        uniform_labels(8).tolist()
    )


def test_pairs_of_patterns_equal_those_counted_one_by_one() -> None:
    for radius, interval in ((1, 2), (2, 4)):
        found = coalbp(IMAGE[None], radius, interval)[0]
        assert found.tolist() == reference.coalbp(IMAGE, radius, interval)


def test_coefficients_equal_the_sums_over_each_window() -> None:
    cx, cy, cc, ss, sx, sc, sy, cs = fourier(IMAGE[None])[:, 0].reshape(8, -1)
    found = reference.windows(IMAGE).T
    wanted = [cx - 1j * sx, cy - 1j * sy, cc - ss - 1j * (sc + cs), cc + ss - 1j * (sc - cs)]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_the_coefficients_are_decorrelated_in_the_model_of_the_paper() -> None:
    offset = np.arange(7)
    y, x = (grid.ravel() for grid in np.meshgrid(offset, offset, indexing="ij"))
    covariance = 0.9 ** np.hypot(y[:, None] - y, x[:, None] - x)
    unit = np.eye(49).reshape(49, 7, 7)
    filters = np.array([fourier((one * 255).astype(np.uint8)[None])[:, 0, 0, 0] / 255 for one in unit]).T
    mixed = whitening() @ filters
    found = mixed @ covariance @ mixed.T
    np.testing.assert_allclose(found, np.diag(np.diag(found)), atol=1e-9)
    assert (np.diag(found) > 0.1).all()
    # No rotation of all eight at once decorrelates better: the variances are the eigenvalues.
    both = filters @ covariance @ filters.T
    scale = np.array([1, 1, 2, 2, 1, 2, 1, 2]) ** 0.5
    np.testing.assert_allclose(np.sort(np.diag(found)), np.linalg.eigvalsh(both * np.outer(scale, scale)))


def test_phases_of_a_flat_image_do_not_depend_on_rounding() -> None:
    histogram = lpq(np.full((1, 20, 20), 77, np.uint8))[0]
    assert histogram[255] == 1.0
    turned = lpq(IMAGE[None].astype(np.uint8))[0]
    assert turned.sum() == pytest.approx(1)
    assert not np.array_equal(turned, lpq(IMAGE.T[None])[0])


def test_colours_are_those_of_opencv_up_to_rounding() -> None:
    found = images.six_channels(FACES)[0].astype(int)
    hsv = cv2.cvtColor(FACES[0], cv2.COLOR_RGB2HSV_FULL).astype(int)
    y, cr, cb = np.moveaxis(cv2.cvtColor(FACES[0], cv2.COLOR_RGB2YCrCb).astype(int), -1, 0)
    hue = (found[..., 0] - hsv[..., 0] + 128) % 256 - 128
    assert abs(hue).max() <= 1
    assert abs(found[..., 1:] - np.stack([hsv[..., 1], hsv[..., 2], y, cb, cr], -1)).max() <= 1
    assert abs(images.grey(FACES)[0].astype(int) - cv2.cvtColor(FACES[0], cv2.COLOR_RGB2GRAY)).max() <= 1
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None, None], 3, axis=-1)
    assert (images.hsv(greys)[..., :2] == 0).all()


def test_a_crop_is_reduced_to_the_means_of_areas() -> None:
    found = images.resized(FACES, 64)
    wanted = np.stack([cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA) for face in FACES])
    assert abs(found.astype(int) - wanted).max() <= 1
    assert (images.resized(FACES, 35) == images._rounded(FACES.reshape(2, 35, 2, 35, 2, 3).mean((2, 4)))).all()
    assert images.resized(FACES, 70) is FACES


@pytest.mark.parametrize(
    ("extractor", "length"),
    [(MultiscaleLbp(), 833), (ColourTexture(), 19_968), (ColourTexture(lbp_only=True), 354)],
)
def test_features_are_shares_and_do_not_depend_on_other_crops(extractor, length: int) -> None:
    found = extractor.features(FACES)
    assert found.shape == (2, length) == (2, extractor.length)
    assert found.min() >= 0
    parts = {833: 11, 19_968: 6 * 13, 354: 6}[length]
    np.testing.assert_allclose(found.sum(axis=1), parts)
    assert np.array_equal(extractor.features(FACES[1:]), found[1:])
