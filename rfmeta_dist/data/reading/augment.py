"""Augment training samples. The result depends only on the sample and a key. The paper does not augment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.seeds import Part, generator
from rfmeta_dist.data.reading.levels import varied

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.config.augmentation import Augmentation


def augment(
    image: NDArray[np.uint8], depth: NDArray[np.uint8], key: tuple[Part, ...], settings: Augmentation
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Augment an image and its depth map in the same way.

    Args:
        image: S×S×3 uint8 RGB.
        depth: D×D uint8, where D divides S.
        key: all random choices depend on it alone; in a stream it is (seed, sample key, epoch).
        settings: the strength of each augmentation.

    Returns:
        New arrays of the same shapes; a depth map of zeros stays zero.
    """
    # Every number is drawn even if its augmentation is off, so that changing one setting does not change the
    # random numbers of the others.
    flip, *box, brightness, contrast, saturation, across, down = generator("augment", *key).random(9).tolist()
    image, depth = _cropped(image, depth, box, settings.crop)
    if flip < settings.flip:
        image, depth = image[:, ::-1], depth[:, ::-1]
    image = _coloured(
        image,
        shift=255 * settings.brightness * (2 * brightness - 1),
        contrast=1 + settings.contrast * (2 * contrast - 1),
        saturation=1 + settings.saturation * (2 * saturation - 1),
    )
    image = varied(image, key, settings)
    return _cut_out(image, across, down, settings.cutout), depth.copy()


def _cropped(
    image: NDArray[np.uint8], depth: NDArray[np.uint8], draws: list[float], most: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cut out a square of whole depth pixels and resize it, so that image and depth stay aligned."""
    import cv2

    full, stride = depth.shape[0], image.shape[0] // depth.shape[0]
    share, across, down = draws
    side = max(1, full - int(share * (most * full + 1)))
    left, top = int(across * (full - side + 1)), int(down * (full - side + 1))

    def resized(pixels: NDArray[np.uint8], unit: int) -> NDArray[np.uint8]:
        part = pixels[top * unit : (top + side) * unit, left * unit : (left + side) * unit]
        # cv2.resize always returns a copy; if side == full, it has the same pixels.
        return cv2.resize(part, pixels.shape[:2], interpolation=cv2.INTER_LINEAR)  # type: ignore[no-any-return]

    return resized(image, stride), resized(depth, 1)


def _coloured(
    image: NDArray[np.uint8], *, shift: float, contrast: float, saturation: float
) -> NDArray[np.uint8]:
    """Change contrast (about the middle value 128), brightness (`shift`) and saturation."""
    import cv2
    import numpy as np

    values = np.clip((np.arange(256) - 128) * contrast + 128 + shift, 0, 255).round().astype(np.uint8)
    image = cv2.LUT(np.ascontiguousarray(image), values)
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    coloured: NDArray[np.uint8] = cv2.addWeighted(image, saturation, grey, 1 - saturation, 0)
    return coloured


def _cut_out(image: NDArray[np.uint8], across: float, down: float, share: float) -> NDArray[np.uint8]:
    side = round(share * image.shape[0])
    left, top = (int(draw * (image.shape[0] - side + 1)) for draw in (across, down))
    image[top : top + side, left : left + side] = 0
    return image
