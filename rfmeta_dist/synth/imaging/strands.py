"""Many thin lines at once: hair, brows, lashes and beards are drawn strand by strand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image

FRACTION = 4  # bits of a pixel's fraction in OpenCV's line drawing
TONES = 16
LAYERS = 6
FAINT = 95  # of 255


def brush(
    paths: NDArray[np.floating],
    tone: NDArray[np.floating],
    size: tuple[int, int],
    thickness: int = 1,
    shown: NDArray[np.bool_] | None = None,
    faint: NDArray[np.bool_] | None = None,
) -> tuple[Image, Image]:
    """Draw strands, the first furthest back.

    Args:
        paths: K×P×2 pixel positions (column, row).
        tone: K or K×(P−1) grey values in [0, 1].
        size: rows and columns of the picture.
        thickness: of a strand in pixels.
        shown: K×(P−1), which pieces are seen; all if not given.
        faint: K×(P−1), which pieces are thin and lie below all others; none if not given.

    Returns:
        Tone and cover, each of `size` in [0, 1]; the tone is ½ where nothing covers.
    """
    grey, cover = np.full(size, 128, np.uint8), np.zeros(size, np.uint8)
    fixed = np.clip(paths, -4096, 8192)
    fixed = np.round(fixed * (1 << FRACTION)).astype(np.int32)
    pieces = np.stack([fixed[:, :-1], fixed[:, 1:]], axis=2)
    tones = np.broadcast_to(np.asarray(tone).reshape(len(paths), -1), pieces.shape[:2])
    levels = np.clip(tones * TONES, 0, TONES - 1).astype(int)
    seen = np.ones(pieces.shape[:2], bool) if shown is None else shown
    thin = np.zeros(pieces.shape[:2], bool) if faint is None else faint
    for weight, which in ((FAINT, thin & seen), (255, ~thin & seen)):
        for layer in np.array_split(np.arange(len(paths)), LAYERS) if which.any() else ():
            for level in range(TONES):
                chosen = pieces[layer][(levels[layer] == level) & which[layer]]
                if len(chosen):
                    colour = int((level + 0.5) * 256 / TONES)
                    cv2.polylines(grey, list(chosen), False, colour, thickness, cv2.LINE_AA, FRACTION)
                    cv2.polylines(cover, list(chosen), False, weight, thickness, cv2.LINE_AA, FRACTION)
    return grey.astype(np.float32) / np.float32(255), cover.astype(np.float32) / np.float32(255)
