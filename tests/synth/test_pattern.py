"""Fine patterns as a sensor resolves them, against the same patterns averaged over many samples a pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.synth.optics.framing import Raster
from rfmeta_dist.synth.optics.pattern import Pattern, Wave, resolved

SIDE, FINE = 48, 24  # pixels a side, and samples a pixel and axis of the reference
PIXELS = Raster(-1.0, -1.0, 2.0 / SIDE, SIDE, SIDE)
PHASES = (0.3, 1.7, -2.0)


def wave(across: float, down: float, amplitude: float = 0.4) -> Wave:
    """A wave of so many cycles a pixel, where a face unit is the crop's half width."""
    strength = np.full((1, 1, 3), amplitude, np.float32)
    return Wave(across * SIDE / 2, down * SIDE / 2, PHASES, amplitude, lambda: strength)


def flat(waves: tuple[Wave, ...], raster: Raster = PIXELS, weight: float = 1.0) -> Pattern:
    u, v = raster.grid()
    return Pattern(u, v, np.full(u.shape, weight, np.float32), (waves,))


def averaged(across: float, down: float, defocus: float, amplitude: float = 0.4) -> np.ndarray:
    """The wave at FINE² samples a pixel, blurred by the lens and averaged over each pixel."""
    place = ((np.arange(SIDE * FINE) + 0.5) / FINE).astype(np.float64)
    y, x = np.meshgrid(place, place, indexing="ij")
    start = -SIDE / 2  # the crop's middle is 0 on the carrier
    angle = 2 * math.pi * (across * (x + start) + down * (y + start))
    waves = np.dstack([1 + amplitude * np.cos(angle + phase) for phase in PHASES])
    if defocus:
        waves = cv2.GaussianBlur(waves, (0, 0), defocus * FINE, borderType=cv2.BORDER_REFLECT)
    return waves.reshape(SIDE, FINE, SIDE, FINE, 3).mean(axis=(1, 3))


@settings(deadline=None, max_examples=25)
@given(
    across=st.floats(0.0, 2.5),
    down=st.floats(-2.5, 2.5),
    defocus=st.sampled_from([0.0, 0.3, 0.6]),
)
def test_lens_and_pixels_pass_what_averaging_leaves(across, down, defocus):
    found = resolved(flat((wave(across, down),)), PIXELS, PIXELS, defocus)
    expected = averaged(across, down, defocus)
    inner = (slice(6, -6), slice(6, -6))  # the reference's blur knows nothing beyond the border
    seen = np.ones_like(expected) if found is None else found
    assert np.abs(seen[inner] - expected[inner]).max() < 0.006


def test_a_pattern_far_too_fine_leaves_nothing_and_costs_nothing():
    def never() -> np.ndarray:
        raise AssertionError

    dots = Wave(7.3 * SIDE / 2, 0.0, PHASES, 1.0, never)
    assert resolved(flat((dots,)), PIXELS, PIXELS, 0.5) is None


def test_a_wave_of_nearly_a_pixel_turns_into_slow_moire():
    """0.9 cycles a pixel are seen as 0.1: one stripe every ten pixels."""
    found = resolved(flat((wave(0.9, 0.0, 1.0),)), PIXELS, PIXELS, 0.0)
    spectrum = np.abs(np.fft.rfft(found[:, :40, 1].mean(axis=0) - found[..., 1].mean()))
    assert spectrum.argmax() == 4


def test_what_hides_a_carrier_hides_its_pattern():
    pattern = flat((wave(0.2, 0.0),))
    hidden = np.zeros(pattern.u.shape, np.float32)
    hidden[:, :20] = 1.0
    found = resolved(pattern.covered(hidden), PIXELS, PIXELS, 0.3)
    assert np.abs(found[:, :20] - 1).max() < 1e-6
    assert found[:, 24:].std() > 0.1


def test_samples_of_the_scene_may_be_coarser_than_the_pixels():
    coarse = Raster(-1.0, -1.0, 4.0 / SIDE, SIDE // 2, SIDE // 2)
    whole, half = (resolved(flat((wave(0.3, 0.2),), r), r, PIXELS, 0.3) for r in (PIXELS, coarse))
    assert np.abs(whole - half)[2:-2, 2:-2].max() < 0.01


@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_pattern_that_is_seen_from_the_side_is_finer(turn):
    """Across a carrier that is turned by an angle, a pixel covers 1/cos(angle) as much."""
    u, v = PIXELS.grid()
    pattern = Pattern(u / np.float32(math.cos(turn)), v, np.ones_like(u), ((wave(0.4, 0.0),),))
    found = resolved(pattern, PIXELS, PIXELS, 0.3)
    expected = averaged(0.4 / math.cos(turn), 0.0, 0.3)
    assert found.std() == pytest.approx(expected[6:-6, 6:-6].std(), rel=0.05)
