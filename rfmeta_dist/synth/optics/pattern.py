"""Fine periodic patterns, such as printed dots and screen pixels, as a sensor resolves them.

A pattern is a sum of waves on a carrier. The lens and the area of a sensor pixel reduce the amplitude of each
wave. The share that remains depends on the number of periods per pixel: nearly 1 for periods of many pixels,
nearly 0 for periods well under a pixel. The remaining wave is sampled at the centres of the pixels, so a period
under two pixels gives moiré, as strong as in a camera.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from rfmeta_dist.synth.imaging.texture import Image
from rfmeta_dist.synth.optics.framing import Raster

FAINTEST = 0.004  # least visible amplitude relative to the local radiance: half a grey level in middle tones
STRIDE = 8  # samples between the places at which a wave's frequency is computed


@dataclass(frozen=True)
class Wave:
    """One harmonic of a pattern.

    Attributes:
        across, down: cycles per face unit of the carrier.
        phase: radians for red, green and blue.
        most: an upper bound of its amplitude.
        amplitude: returns the amplitude relative to the local mean, in any shape that broadcasts to H×W×3. It
            is called only if the optics pass enough of the wave.
    """

    across: float
    down: float
    phase: tuple[float, float, float]
    most: float
    amplitude: Callable[[], Image]


@dataclass(frozen=True)
class Pattern:
    """What the radiance of a carrier is multiplied by: for each layer, 1 plus the waves of the layer.

    Attributes:
        u, v: where each point of the scene's grid lies on the carrier, H×W, in face units.
        weight: share of each point's radiance that comes from the patterned surface, H×W in [0, 1].
        layers: the waves of each ink, or of the panel. The factors of the layers are multiplied; a factor below
            0 is set to 0.
    """

    u: Image
    v: Image
    weight: Image
    layers: tuple[tuple[Wave, ...], ...]

    def covered(self, share: Image) -> Pattern:
        """Return the pattern behind something that hides a share of it, H×W in [0, 1]."""
        return replace(self, weight=(self.weight * (1.0 - share)).astype(np.float32))


def passed(across: Image, down: Image, defocus: float) -> Image:
    """Return the share of a wave's amplitude that the lens and the area of a pixel pass.

    Args:
        across, down: cycles per sensor pixel.
        defocus: standard deviation of the lens blur in sensor pixels.

    Returns:
        A factor of at most 1, of the shape of the arguments; negative where the pixel's area reverses the wave.
    """
    lens = np.exp(-2.0 * (math.pi * defocus) ** 2 * (across * across + down * down))
    share: Image = np.sinc(across) * np.sinc(down) * lens
    return share.astype(np.float32)


def resolved(pattern: Pattern, scene: Raster, pixels: Raster, defocus: float) -> Image | None:
    """Return the pattern at the pixels of a sensor.

    Args:
        pattern: on the points of `scene`.
        scene: the grid of points.
        pixels: where the sensor's pixels lie.
        defocus: standard deviation of the lens blur in sensor pixels.

    Returns:
        Factor by which the blurred radiance is multiplied, H×W×3; None if no part of the pattern passes the
        optics or is in view.
    """
    if not pattern.weight.any():
        return None
    coarse = [image[::STRIDE, ::STRIDE] for image in (pattern.u, pattern.v)]
    spacing = STRIDE * scene.pitch / pixels.pitch
    slopes = [_slopes(image, spacing) for image in coarse]
    layers = [
        [(w, s) for w in waves if (s := _share(w, slopes, defocus)) is not None] for waves in pattern.layers
    ]
    if not any(layers):
        return None
    places = [on_pixels(image, scene, pixels) for image in (pattern.u, pattern.v)]
    factor: Any = np.ones((pixels.height, pixels.width, 3), np.float32)
    for waves in filter(None, layers):
        ripples: Any = 0.0
        for wave, share in waves:
            passing = _widened(share, pattern.u.shape)[..., None] * wave.amplitude()
            strength = on_pixels(passing.astype(np.float32), scene, pixels)
            turns = places[0] * np.float32(wave.across) + places[1] * np.float32(wave.down)
            ripples = ripples + strength * _cosines(turns, wave.phase)
        np.multiply(factor, np.clip(1.0 + ripples, 0.0, None), out=factor)
    mixed: Image = 1.0 + (factor - 1.0) * on_pixels(pattern.weight, scene, pixels)[..., None]
    return mixed


def _share(wave: Wave, slopes: list[tuple[Image, Image]], defocus: float) -> Image | None:
    """Return the share of a wave that the optics pass, at every STRIDE-th sample; None if it is invisible."""
    (u_down, u_across), (v_down, v_across) = slopes
    across, down = wave.across * u_across + wave.down * v_across, wave.across * u_down + wave.down * v_down
    share = passed(across, down, defocus)
    return share if float(np.abs(share).max()) * wave.most >= FAINTEST else None


def _slopes(image: Image, spacing: float) -> tuple[Image, Image]:
    """Return how fast an image grows downwards and across, per unit of `spacing`."""
    slopes: Any = np.gradient(image, spacing)
    return slopes[0], slopes[1]


def on_pixels(image: Image, scene: Raster, pixels: Raster) -> Image:
    """Interpolate an image on the points of a scene, H×W or H×W×3, at the centres of a sensor's pixels."""
    if scene == pixels:
        return image
    zoom = pixels.pitch / scene.pitch
    across, down = (
        (first - start) / scene.pitch + 0.5 * zoom - 0.5
        for first, start in ((pixels.left, scene.left), (pixels.top, scene.top))
    )
    matrix = np.array([[zoom, 0.0, across], [0.0, zoom, down]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = pixels.width, pixels.height
    there: Image = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return there


def _widened(share: Image, shape: tuple[int, ...]) -> Image:
    """Interpolate a field that was computed at every STRIDE-th sample to all samples."""
    rows, columns = (np.arange(side, dtype=np.float32) / STRIDE for side in shape[:2])
    across, down = np.meshgrid(columns, rows)
    wide: Image = cv2.remap(share, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return wide


def _cosines(turns: Image, phase: tuple[float, float, float]) -> Image:
    """Return the cosine of an angle in turns plus each of three phases in radians, H×W×3."""
    angle = turns * np.float32(2 * math.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    waves: Image = cv2.merge([cos * np.float32(math.cos(p)) - sin * np.float32(math.sin(p)) for p in phase])
    return waves
