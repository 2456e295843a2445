"""What may give an attack away without looking at liveness, measured on a crop: one short vector a cue.

All are to be useless for telling live faces from attacks, but for `texture`, the positive control: recapture
leaves its trace there, and a probe that cannot see it sees nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]
CONTROL = "texture"
SMALL = 64  # side at which shapes are measured
PATCH = 48  # side of what a spectrum is taken of
NEAR = 22  # of SMALL rows or columns: where a carrier's border may show


def background(picture: Pixels) -> Vector:
    """Colours of an 8×8 mosaic's upper and side border, where no face is."""
    mosaic = cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.concatenate([mosaic[0].ravel(), mosaic[1:6, 0].ravel(), mosaic[1:6, -1].ravel()])


def colour(picture: Pixels) -> Vector:
    """Mean red, green and blue."""
    mean: Vector = picture.mean(axis=(0, 1), dtype=np.float32)
    return mean


def geometry(picture: Pixels) -> Vector:
    """Place, size and slant of what has the colour of skin, and of what has edges."""
    small = cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32))
    skin = np.exp(-(((red - 150) / 18) ** 2) - ((blue - 112) / 18) ** 2)
    across, down = _gradients(small)
    return np.concatenate([_moments(skin), _moments(np.hypot(across, down))])


def sharpness(picture: Pixels) -> Vector:
    """Log variance of the Laplacian at full, half and quarter size."""
    grey = _grey(picture)
    scales = (cv2.resize(grey, None, fx=f, fy=f, interpolation=cv2.INTER_AREA) for f in (1.0, 0.5, 0.25))
    return np.array([np.log(cv2.Laplacian(scale, cv2.CV_32F).var() + 1e-3) for scale in scales], np.float32)


def border(picture: Pixels) -> Vector:
    """Straight edges along each side: how strong the strongest is, and over how much of the side it runs."""
    across, down = _gradients(cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA))
    sides = (down[:NEAR], down[-NEAR:], across[:, :NEAR].T, across[:, -NEAR:].T)
    return np.concatenate([_longest(side) for side in sides])


def texture(picture: Pixels) -> Vector:
    """Log spectrum of patches of the face, averaged."""
    grey, side = _grey(picture), picture.shape[0]
    patch = min(PATCH, side // 2)
    window = np.outer(np.hanning(patch), np.hanning(patch))
    starts = np.linspace(side // 4, side * 3 // 4 - patch, 1 if side < 4 * PATCH else 2).astype(int)
    spectra = [
        np.log1p(np.abs(np.fft.fft2(grey[row : row + patch, column : column + patch] * window)))
        for row in starts
        for column in starts
    ]
    half = np.fft.fftshift(np.mean(spectra, axis=0), axes=1)[: patch // 2].astype(np.float32)
    coarse: Vector = cv2.resize(half, (16, 8), interpolation=cv2.INTER_AREA)
    return coarse.ravel()


PIXEL_CUES: Mapping[str, Callable[[Pixels], Vector]] = MappingProxyType(
    {
        "background": background,
        "colour": colour,
        "geometry": geometry,
        "sharpness": sharpness,
        "border": border,
        CONTROL: texture,
    }
)


def _grey(picture: Pixels) -> Vector:
    grey: Vector = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _gradients(picture: Pixels) -> tuple[Vector, Vector]:
    """Strength of the change across and down."""
    grey = _grey(picture)
    return np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)), np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _moments(weight: Vector) -> Vector:
    """Mass, centre, spread and slant of a map, in units of its side."""
    axis = np.linspace(-1, 1, weight.shape[0], dtype=np.float32)
    mass = weight.sum() + 1e-3
    x, y = (weight.sum(0) @ axis) / mass, (weight.sum(1) @ axis) / mass
    dx, dy = axis - x, axis - y
    spread = [weight.sum(0) @ dx**2, weight.sum(1) @ dy**2, dy @ weight @ dx]
    return np.array([mass / weight.size, x, y, *(value / mass for value in spread)], np.float32)


def _longest(side: Vector) -> Vector:
    """Of rows parallel to a side: the strongest mean edge, and the longest run; both may slant a little."""
    slanted = cv2.dilate(side, np.ones((3, 1), np.uint8))
    strong = (slanted > 3.0 * np.median(side) + 8.0).mean(axis=1)
    return np.array([np.log(slanted.mean(axis=1).max() + 1.0), strong.max()], np.float32)
