"""Maps of patches become one map over the face: values, places, overlaps and what no patch covers."""

from __future__ import annotations

import numpy as np
import pytest

from rfmeta_dist.core.patches import Patches
from rfmeta_dist.evaluation.face_maps import GRID, mean_map, over_face, parts, peculiar


def slowly(maps, places, stride, side, crop):
    """The definition, pixel by pixel: the mean over the patches that cover it, each interpolated linearly."""

    def at(values, x, y):
        last = len(values) - 1
        u, v = (min(max(t / stride - 0.5, 0), last) for t in (x, y))
        i, j = min(int(v), max(last - 1, 0)), min(int(u), max(last - 1, 0))
        k, m = min(i + 1, last), min(j + 1, last)
        low = values[i, j] * (1 - (u - j)) + values[i, m] * (u - j)
        high = values[k, j] * (1 - (u - j)) + values[k, m] * (u - j)
        return low * (1 - (v - i)) + high * (v - i)

    out = np.full((GRID, GRID), np.nan)
    for row in range(GRID):
        for column in range(GRID):
            x, y = ((t + 0.5) * crop / GRID for t in (column, row))
            seen = [
                at(values, x - left, y - top)
                for values, (left, top) in zip(maps, places, strict=True)
                if 0 <= x - left < side and 0 <= y - top < side
            ]
            if seen:
                out[row, column] = np.mean(seen)
    return out


@pytest.mark.parametrize(
    ("side", "crop", "stride"), [(64, 64, 32), (64, 147, 32), (64, 300, 8), (32, 90, 32), (72, 72, 32)]
)
def test_the_map_is_that_of_the_definition(side, crop, stride):
    places = np.array(Patches().scored(crop, side), np.int32)
    maps = np.random.default_rng(0).normal(size=(len(places), side // stride, side // stride))
    found = over_face(maps, places, stride, side, crop)
    np.testing.assert_allclose(found, slowly(maps, places.tolist(), stride, side, crop), atol=1e-12)
    # Patches lie in the middle: of a crop that is much larger, the corners are in none of them.
    assert np.isnan(found[0, 0]) == (crop > 72)


def test_where_two_patches_overlap_their_mean_is_taken():
    maps = np.stack([np.full((2, 2), 1.0), np.full((2, 2), 3.0)])
    found = over_face(maps, np.array([[0, 0], [32, 0]], np.int32), 32, 64, 96)
    middle, below = found[5], found[-1]
    assert middle[0] == 1
    assert middle[GRID // 2] == pytest.approx(2)
    assert middle[-1] == 3
    assert np.isnan(below).all()


def test_a_mean_leaves_out_what_is_not_covered():
    left, right = np.full((GRID, GRID), np.nan), np.zeros((GRID, GRID))
    left[:, : GRID // 2] = 4
    found = mean_map([left, right])
    assert (found[:, : GRID // 2] == 2).all()
    assert (found[:, GRID // 2 :] == 0).all()
    assert np.isnan(mean_map([left, left])[0, -1])


def test_maps_are_taken_apart_into_faces_a_common_pattern_and_the_rest():
    slope = np.tile(np.linspace(-1, 1, GRID), (GRID, 1))
    v = slope.var()
    # All faces have the slope and differ by ±0.5 as a whole; two of four have a second slope, two its opposite.
    maps = [slope + mean + sign * 0.1 * slope.T for mean in (0.5, -0.5) for sign in (1, -1)]
    found = parts(maps)
    np.testing.assert_allclose(found.pattern, slope, atol=1e-12)
    whole = 0.25 + v + 0.01 * v
    assert found.shares == pytest.approx((0.25 / whole, v / whole, 0.01 * v / whole))
    assert np.var(np.stack(maps)) == pytest.approx(whole)
    np.testing.assert_allclose(peculiar(maps[0], found.pattern), 0.1 * slope.T, atol=1e-12)
    assert parts([np.ones((GRID, GRID))] * 2).shares == (0, 0, 0)
