"""Turn faces and maps into small JPEG pictures that are part of a page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    Map = NDArray[np.float64]

SIDE = 192  # pixels of a picture on the page
LIVE, ATTACK = (0, 114, 178), (213, 94, 0)  # blue and orange of Okabe & Ito, as in the plots
_OPAQUE = 0.8  # opacity of the strongest evidence, so that the face below stays visible


def scale(maps: Iterable[Map]) -> float:
    """Return the evidence that gets the full colour: 95 % of the places of some maps have less; at least 1e-9.

    Args:
        maps: of any size, with NaN where there is no evidence.
    """
    import numpy as np

    sizes = np.abs(np.concatenate([values[~np.isnan(values)] for values in maps]))
    return max(float(np.percentile(sizes, 95)) if len(sizes) else 0.0, 1e-9)


def face(image: NDArray[np.uint8]) -> str:
    """Return the data URI of a face, S×S×3 RGB."""
    return _uri(_resized(image))


def evidence(image: NDArray[np.uint8], values: Map, full: float) -> str:
    """Return the data URI of a grey face under a map: blue where it is positive, orange where it is negative.

    Args:
        image: S×S×3 RGB.
        values: G×G over the image; NaN leaves the face without colour.
        full: the evidence that gets the full colour.
    """
    import numpy as np

    grey = _resized(image).astype(np.float64).mean(axis=2, keepdims=True)
    strength = _resized(np.nan_to_num(values / full).clip(-1, 1))[..., None]
    colour = np.where(strength > 0, np.array(LIVE, float), np.array(ATTACK, float))
    opacity = _OPAQUE * np.abs(strength)
    return _uri((grey * (1 - opacity) + colour * opacity).round().astype(np.uint8))


def depth(values: Map) -> str:
    """Return the data URI of a depth map, G×G: white is 1 or more, black is 0; grey-blue where it is NaN."""
    import numpy as np

    grey = np.repeat((255 * np.nan_to_num(values).clip(0, 1))[..., None], 3, axis=2)
    grey[np.isnan(values)] = (90, 100, 115)
    return _uri(_resized(grey.round().astype(np.uint8)))


def _resized(image: NDArray[Any]) -> NDArray[Any]:
    import cv2

    way = cv2.INTER_AREA if image.shape[0] > SIDE else cv2.INTER_LINEAR
    done: NDArray[Any] = cv2.resize(image, (SIDE, SIDE), interpolation=way)
    return done


def _uri(image: NDArray[Any]) -> str:
    import numpy as np
    import simplejpeg

    data = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
