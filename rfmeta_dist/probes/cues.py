"""Measure cues of a crop that might tell attacks from live faces without any sign of liveness.

Each cue is a short vector. No cue should tell live faces from attacks, except `texture`. It is the positive
control: recapture changes the texture, so a probe that finds no difference there would find none anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]
FILE_SIZE = "file size"
CONTROL = "texture"
SMALL = 64  # side in pixels at which borders are searched
SOFT = 1.5  # standard deviation in these pixels of a blur that removes dots and stripes, which look like edges
FOCUS = 48  # side in pixels at which the sharpness of a crop is measured
QUALITY = 90  # JPEG quality at which a patch is encoded to measure its file size
COARSE = 16  # side in pixels at which shapes, and the sharpness of a patch, are measured
OCTAVES = 4
RINGS = (0.08, 0.15, 0.22, 0.30, 0.40, 0.60)  # bounds of rings of frequencies, in cycles per pixel
NEAR = 22  # how many of the SMALL rows or columns at each side may show the border of a carrier


def background(picture: Pixels) -> Vector:
    """Return the colours along the upper and side borders of an 8×8 mosaic, where no face is."""
    mosaic = cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.concatenate([mosaic[0].ravel(), mosaic[1:6, 0].ravel(), mosaic[1:6, -1].ravel()])


def colour(picture: Pixels) -> Vector:
    """Return the mean of red, green and blue."""
    mean: Vector = picture.mean(axis=(0, 1), dtype=np.float32)
    return mean


def stored_size(picture: Pixels) -> Vector:
    """Return the bytes of the picture as a JPEG file: fewer if storing its crop removed noise or detail."""
    whole = np.ascontiguousarray(picture)  # a patch is a view of its crop
    return np.array([len(simplejpeg.encode_jpeg(whole, quality=QUALITY))], np.float32)


def geometry(picture: Pixels) -> Vector:
    """Return place, size and slant of skin-coloured areas and of edges, too coarsely for texture to matter."""
    small = cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA)
    _, red, blue = cv2.split(cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32))
    skin = np.exp(-(((red - 150) / 18) ** 2) - ((blue - 112) / 18) ** 2)
    across, down = _gradients(small)
    return np.concatenate([_moments(skin), _moments(np.hypot(across, down))])


def sharpness(picture: Pixels, side: int = FOCUS) -> Vector:
    """Return the log variance of the Laplacian over that of the picture: focus, independent of contrast.

    Recapture removes fine detail just as a lens that is out of focus does, so fine detail cannot tell the two
    apart. Coarser detail passes recapture almost unchanged, and still shows a lens that is out of focus.

    Args:
        picture: S×S×3 RGB.
        side: size in pixels to which the picture is shrunk first.
    """
    grey = _grey(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA))
    return np.log([(cv2.Laplacian(grey, cv2.CV_32F).var() + 1e-3) / (grey.var() + 1e-3)]).astype(np.float32)


def border(picture: Pixels) -> Vector:
    """Return, for each side, the strength of its strongest straight edge and the share of the side it takes."""
    small = cv2.resize(picture, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    across, down = _gradients(cv2.GaussianBlur(small, (0, 0), SOFT))
    sides = (down[:NEAR], down[-NEAR:], across[:, :NEAR].T, across[:, -NEAR:].T)
    return np.concatenate([_longest(side) for side in sides])


def texture(picture: Pixels) -> Vector:
    """Return the fine structure of luma and chroma over the face: blur residuals at four sizes, and spectra."""
    side = picture.shape[0]
    face = picture[side // 8 : -side // 8, side // 8 : -side // 8]
    channels = cv2.split(cv2.cvtColor(face, cv2.COLOR_RGB2YCrCb).astype(np.float32))
    return np.concatenate([part for channel in channels for part in (_residuals(channel), _spectrum(channel))])


Cues = Mapping[str, Callable[[Pixels], Vector]]
FACE_CUES: Cues = MappingProxyType(
    {
        "background": background,
        "colour": colour,
        "geometry": geometry,
        "sharpness": sharpness,
        "border": border,
        CONTROL: texture,
    }
)
# A patch has no background and no file of its own. It is encoded as JPEG to measure its file size.
PATCH_CUES: Cues = MappingProxyType(
    {
        "colour": colour,
        FILE_SIZE: stored_size,
        "geometry": geometry,
        "sharpness": partial(sharpness, side=COARSE),
        "border": border,
        CONTROL: texture,
    }
)


def _residuals(channel: Vector) -> Vector:
    """Return, at four sizes, strength and peakedness of the fine structure, and how much of it runs across."""
    found = []
    for _ in range(OCTAVES):
        smooth = cv2.GaussianBlur(channel, (0, 0), 1.0)
        rest = np.abs(channel - smooth)
        across, down = (np.abs(cv2.Sobel(channel, cv2.CV_32F, *axis)).mean() for axis in ((1, 0), (0, 1)))
        mean = rest.mean() + 0.01
        found += [
            np.log(mean),
            np.log(np.sqrt((rest**2).mean()) / mean + 0.01),
            np.log((across + 0.01) / (down + 0.01)),
        ]
        channel = cv2.resize(smooth, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.array(found, np.float32)


def _spectrum(channel: Vector) -> Vector:
    """Return, for rings of the spectrum: mean, spread, and the highest peak above its surroundings."""
    height, width = channel.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2((channel - channel.mean()) * window)))).astype(
        np.float32
    )
    peaks = power - cv2.blur(power, (9, 9))
    rows, columns = np.fft.fftshift(np.fft.fftfreq(height)), np.fft.fftshift(np.fft.fftfreq(width))
    ring = np.digitize(np.hypot(rows[:, None], columns), RINGS)
    masks = [ring == number for number in range(1, len(RINGS))]
    return np.array([f for m in masks for f in (power[m].mean(), power[m].std(), peaks[m].max())], np.float32)


def _grey(picture: Pixels) -> Vector:
    grey: Vector = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _gradients(picture: Pixels) -> tuple[Vector, Vector]:
    """Return the strength of the change across and down."""
    grey = _grey(picture)
    return np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)), np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))


def _moments(weight: Vector) -> Vector:
    """Return mass, centre, spread and slant of a map, in units of its side."""
    axis = np.linspace(-1, 1, weight.shape[0], dtype=np.float32)
    mass = weight.sum() + 1e-3
    x, y = (weight.sum(0) @ axis) / mass, (weight.sum(1) @ axis) / mass
    dx, dy = axis - x, axis - y
    spread = [weight.sum(0) @ dx**2, weight.sum(1) @ dy**2, dy @ weight @ dx]
    return np.array([mass / weight.size, x, y, *(value / mass for value in spread)], np.float32)


def _longest(side: Vector) -> Vector:
    """Return the strongest mean edge and the longest run among rows along a side. Edges may slant a little."""
    slanted = cv2.dilate(side, np.ones((3, 1), np.uint8))
    strong = (slanted > 3.0 * np.median(side) + 8.0).mean(axis=1)
    return np.array([np.log(slanted.mean(axis=1).max() + 1.0), strong.max()], np.float32)
