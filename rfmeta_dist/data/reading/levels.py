"""Vary how sharp, how noisy and how well coded a training sample is, so that these levels tell nothing.

Cameras differ more in sharpness, noise and coding than live faces differ from attacks. A model that judges by
the level itself fails on the next camera; what a print or a screen changes in a picture stays.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.seeds import Part, generator, octets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.schema import Augmentation

    Pixels = NDArray[np.uint8]

UNTOUCHED = 100  # quality at which a sample is not coded again
RADIUS = 1.0  # pixels; standard deviation of the Gaussian whose difference is sharpened
GREY = 0.18  # linear middle grey
READ_NOISE = 0.15  # variance that does not depend on the light, relative to that of the light at middle grey
DARKEST = 2.0  # most noise of a dark pixel, relative to middle grey; cameras crush what is darker
STRIP = (
    24_576  # numbers at a time: larger arrays go back to the system, and page faults cost four times the work
)


class Levels(NamedTuple):
    """The levels drawn for one sample.

    Attributes:
        blur: standard deviation of a Gaussian, in pixels; 0 for none.
        noise: standard deviation at middle grey, of the full range; 0 for none.
        sharpness: how much of the difference from a slightly blurred picture is added; 0 for none.
        coding: JPEG quality; `UNTOUCHED` for none.
    """

    blur: float
    noise: float
    sharpness: float
    coding: int


def draw(key: tuple[Part, ...], settings: Augmentation) -> Levels:
    """Draw the levels of a sample, each evenly between none and the setting.

    Args:
        key: decides what is drawn.
        settings: the largest blur, noise and sharpness, and the lowest coding quality.
    """
    blur, noise, sharpness, coding = generator("levels", *key).random(4).tolist()
    steps = UNTOUCHED - settings.coding + 1
    return Levels(
        blur * settings.blur,
        noise * settings.noise,
        sharpness * settings.sharpness,
        UNTOUCHED - int(coding * steps),
    )


def varied(image: Pixels, key: tuple[Part, ...], settings: Augmentation) -> Pixels:
    """Draw levels for a sample and give them to it; returns the array that is given if all levels are off.

    Args:
        image: S×S×3 RGB, contiguous.
        key: decides what is drawn; in a stream (seed, sample key, epoch).
        settings: how much to vary.
    """
    if settings.coding == UNTOUCHED and not (settings.blur or settings.noise or settings.sharpness):
        return image
    return apply(image, draw(key, settings), key)


def apply(image: Pixels, levels: Levels, key: tuple[Part, ...]) -> Pixels:
    """Give an image the levels, in a camera's order: lens, sensor, sharpening, file.

    Args:
        image: S×S×3 RGB, contiguous.
        levels: from `draw`.
        key: decides the noise of each pixel.
    """
    if levels.blur:
        image = _blurred(image, levels.blur)
    if levels.noise:
        image = _noisy(image, levels.noise, key)
    if levels.sharpness:
        image = _sharpened(image, levels.sharpness)
    return _coded(image, levels.coding) if levels.coding < UNTOUCHED else image


def _blurred(image: Pixels, deviation: float) -> Pixels:
    import cv2

    blurred: Pixels = cv2.GaussianBlur(image, (0, 0), deviation)  # of bytes: fixed point, the same everywhere
    return blurred


def _noisy(image: Pixels, deviation: float, key: tuple[Part, ...]) -> Pixels:
    import cv2
    import numpy as np

    spread, noisy = _spread() * np.float32(255 * deviation), np.empty_like(image)
    # A byte chooses among 256 quantiles: numpy's normal numbers would take ten times as long as decoding.
    chosen = octets(image.size, "noise", *key).reshape(image.shape)
    rows = max(1, STRIP // image[0].size)
    for top in range(0, len(image), rows):
        part = slice(top, top + rows)
        noise = cv2.multiply(cv2.LUT(image[part], spread), cv2.LUT(chosen[part], _quantiles()))
        cv2.add(image[part], noise, dst=noisy[part], dtype=cv2.CV_8U)
    return noisy


@cache
def _quantiles() -> NDArray[np.float32]:
    """Return 256 equally likely values with the quantiles of a normal distribution and a deviation of 1."""
    from statistics import NormalDist

    import numpy as np

    values = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    quantiles: NDArray[np.float32] = (values / values.std()).astype(np.float32)
    return quantiles


@cache
def _spread() -> NDArray[np.float32]:
    """Return the deviation of the noise at each of 256 display values, relative to that at middle grey.

    Light arrives in quanta, whose variance grows with the light, and reading the sensor adds some of its own.
    The tone curve then spreads the dark and compresses the light.
    """
    import numpy as np

    def shown(light: NDArray[np.float64]) -> NDArray[np.float64]:
        deviation = np.sqrt(light / GREY + READ_NOISE)
        slope = np.where(light <= 0.0031308, 12.92, 1.055 / 2.4 * np.maximum(light, 1e-9) ** (1 / 2.4 - 1))
        return np.asarray(deviation * slope)

    value = np.arange(256) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)  # of sRGB
    spread: NDArray[np.float32] = np.minimum(shown(light) / shown(np.array(GREY)), DARKEST).astype(np.float32)
    return spread


def _sharpened(image: Pixels, amount: float) -> Pixels:
    import cv2

    soft = cv2.GaussianBlur(image, (0, 0), RADIUS)
    sharpened: Pixels = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    return sharpened


def _coded(image: Pixels, quality: int) -> Pixels:
    import simplejpeg

    # Cameras store colour at half the resolution.
    data = simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="420")
    coded: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return coded
