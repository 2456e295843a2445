"""Cut a patch out of a decoded crop, without resizing its pixels, and compute the patch's depth map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.data.shards.decode import DEPTH_STRIDE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.core.patches import Place

    Pixels = NDArray[np.uint8]


def cut_patch(image: Pixels, depth: Pixels, place: Place, side: int) -> tuple[Pixels, Pixels]:
    """Cut a square out of an image and out of its depth map.

    Args:
        image: S×S×3 RGB.
        depth: D×D, of the whole image; D and S need not divide each other.
        place: upper left corner of the patch in the image.
        side: P, the side of the patch in pixels; a multiple of 8, at most S.

    Returns:
        A P×P×3 view of the image, and P/8×P/8 depth. Each depth value is the mean of the map over its 8×8 image
        pixels, rounded half to even, as in the depth of a whole face.
    """
    import numpy as np

    left, top = place
    across, down = (_weights(start, side, image.shape[0], depth.shape[0]) for start in (left, top))
    # Processors sum in different orders, which changes the last digits. Dropping them first makes the rounding
    # of exact halves the same on every machine.
    part = np.rint(np.round(down @ depth @ across.T, 6)).astype(np.uint8)
    return image[top : top + side, left : left + side], part


def _weights(start: int, side: int, crop: int, stored: int) -> NDArray[np.float64]:
    """Return P/8×D weights: the share of each of the map's pixels along one axis in each value of the patch."""
    import numpy as np

    scale = stored / crop  # pixels of the map to one of the image
    edges = (start + DEPTH_STRIDE * np.arange(side // DEPTH_STRIDE + 1)) * scale
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(stored)
    overlap = np.minimum(high, pixel + 1) - np.maximum(low, pixel)
    shares: NDArray[np.float64] = np.maximum(overlap, 0) / (DEPTH_STRIDE * scale)
    return shares
