"""Augment the sharpness, noise and JPEG quality of training samples, so that models do not decide by them.

Cameras differ more from each other in sharpness, noise and compression than live faces differ from attacks. A
model that decides by the level of one of them fails on a new camera. Other traces of a print or a screen remain
in the picture.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.core.seeds import Part, generator, octets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.augmentation import Augmentation

    Pixels = NDArray[np.uint8]

UNTOUCHED = 100  # JPEG quality that stands for no compression: the sample is not encoded again
RADIUS = 1.0  # pixels; standard deviation of the Gaussian of the unsharp mask
GREY = 0.18  # linear middle grey
READ_NOISE = 0.15  # variance of the sensor's read noise, relative to that of the shot noise at middle grey
DARKEST = 2.0  # largest noise of a dark pixel, relative to middle grey; cameras clip darker values
# Numbers that are processed at a time. The allocator returns larger arrays to the system each time, and the
# page faults then take four times as long as the computation.
STRIP = 24_576


class Levels(NamedTuple):
    """The levels of one sample in one epoch.

    Attributes:
        blur: standard deviation of the Gaussian blur in pixels; 0 for no blur.
        noise: standard deviation of the noise at middle grey, as a fraction of the full range; 0 for no noise.
        sharpness: factor of the unsharp mask; 0 for no sharpening.
        coding: JPEG quality; `UNTOUCHED` for no compression.
    """

    blur: float
    noise: float
    sharpness: float
    coding: int


def draw(key: tuple[Part, ...], settings: Augmentation) -> Levels:
    """Choose the levels of a sample at random, each uniformly between no change and the setting.

    Args:
        key: the levels depend on it alone.
        settings: the largest blur, noise and sharpness, and the lowest JPEG quality.
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
    """Choose the levels of a sample at random and apply them.

    Args:
        image: S×S×3 uint8 RGB, contiguous.
        key: the levels and the noise depend on it alone; in a stream it is (seed, sample key, epoch).
        settings: the strength of each augmentation.

    Returns:
        A new array of the same shape; `image` itself if all levels are off.
    """
    if settings.coding == UNTOUCHED and not (settings.blur or settings.noise or settings.sharpness):
        return image
    return apply(image, draw(key, settings), key)


def apply(image: Pixels, levels: Levels, key: tuple[Part, ...]) -> Pixels:
    """Apply levels to an image in the order of a camera: lens blur, sensor noise, sharpening, JPEG.

    Args:
        image: S×S×3 uint8 RGB, contiguous; it is not changed.
        levels: from `draw`.
        key: the noise of each pixel depends on it alone.

    Returns:
        An array of the same shape and type.
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

    # OpenCV blurs bytes in fixed point, which gives the same result on every machine.
    blurred: Pixels = cv2.GaussianBlur(image, (0, 0), deviation)
    return blurred


def _noisy(image: Pixels, deviation: float, key: tuple[Part, ...]) -> Pixels:
    import cv2
    import numpy as np

    spread, noisy = _spread() * np.float32(255 * deviation), np.empty_like(image)
    # Each random byte selects one of 256 quantiles of the normal distribution. Drawing numpy's normal numbers
    # would take ten times as long as decoding the image.
    chosen = octets(image.size, "noise", *key).reshape(image.shape)
    rows = max(1, STRIP // image[0].size)
    for top in range(0, len(image), rows):
        part = slice(top, top + rows)
        noise = cv2.multiply(cv2.LUT(image[part], spread), cv2.LUT(chosen[part], _quantiles()))
        cv2.add(image[part], noise, dst=noisy[part], dtype=cv2.CV_8U)
    return noisy


@cache
def _quantiles() -> NDArray[np.float32]:
    """Return 256 quantiles of a normal distribution, scaled to a standard deviation of exactly 1."""
    from statistics import NormalDist

    import numpy as np

    values = np.array([NormalDist().inv_cdf((i + 0.5) / 256) for i in range(256)])
    quantiles: NDArray[np.float32] = (values / values.std()).astype(np.float32)
    return quantiles


@cache
def _spread() -> NDArray[np.float32]:
    """Return the standard deviation of the noise at each of 256 sRGB values, relative to that at middle grey.

    The variance of shot noise is proportional to the light, and reading the sensor adds a constant variance.
    The sRGB tone curve then stretches dark values and compresses light ones.
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
