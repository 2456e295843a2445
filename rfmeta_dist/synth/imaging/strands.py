"""Paint many thin lines at once: hair, brows, lashes and beards, strand by strand."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image

FRACTION = 4  # bits of a pixel's fraction in OpenCV's line drawing
TONES = 16
LAYERS = 8
COVERS = np.array([70, 140, 255])  # levels of cover, out of 255; pieces of less cover lie below those of more
FAR = 4096  # positions are clipped to this many pixels, which is far out of any picture


def brush(
    paths: NDArray[np.floating],
    tone: NDArray[np.floating],
    size: tuple[int, int],
    fine: int = 1,
    shown: NDArray[np.bool_] | None = None,
    opacity: NDArray[np.floating] | None = None,
) -> tuple[Image, Image]:
    """Paint strands, beginning with the one furthest back.

    Args:
        paths: K×P×2 pixel positions (column, row).
        tone: K or K×(P−1) grey values in [0, 1].
        size: rows and columns of the picture.
        fine: a strand is 1/`fine` pixels wide, so that a single strand covers a pixel in part.
        shown: K×(P−1), which pieces are visible; all if not given.
        opacity: K×(P−1) in [0, 1], how solid each piece is; 1 if not given; fainter pieces lie below others.

    Returns:
        Tone and cover, each of `size` in [0, 1]; the tone is ½ where nothing covers.
    """
    count, steps = len(paths), paths.shape[1] - 1
    picture = np.zeros((size[0] * fine, size[1] * fine, 3), np.uint8)
    fixed = _fixed(paths, fine)
    chosen = np.arange(count * steps) if shown is None else np.flatnonzero(shown)
    strand, piece = np.divmod(chosen, steps)
    tones = np.broadcast_to(np.asarray(tone, np.float32).reshape(count, -1), (count, steps))[strand, piece]
    key = np.clip(tones * TONES, 0, TONES - 1).astype(np.int16)
    key += TONES * (strand * LAYERS // max(count, 1)).astype(np.int16)
    solid = np.full(len(chosen), len(COVERS) - 1, np.int16)
    if opacity is not None:
        solid = np.searchsorted(COVERS[:-1], np.asarray(opacity)[strand, piece] * 255 - 1).astype(np.int16)
    key += TONES * LAYERS * solid
    order = np.argsort(key, kind="stable")
    strand, piece, key = strand[order], piece[order], key[order]
    pieces = np.stack([fixed[strand, piece], fixed[strand, piece + 1]], axis=1)
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(key)], strict=True):
        cover = int(COVERS[key[start] // (TONES * LAYERS)])
        # Tones are multiplied by their cover, so that averaging them over a pixel weights them correctly.
        colour = ((int(key[start]) % TONES + 0.5) / TONES * cover, cover, 0)
        cv2.polylines(picture, list(pieces[start:end]), False, colour, 1, cv2.LINE_AA, FRACTION)
    weighted, covered = _averaged(picture[..., 0], size), _averaged(picture[..., 1], size)
    grey = np.where(covered > 0, weighted / np.maximum(covered, np.float32(1 / 255)), np.float32(0.5))
    return grey, covered


def strokes(paths: NDArray[np.floating], size: tuple[int, int], fine: int = 1) -> Image:
    """Return the cover in [0, 1] of lines K×P×2 in pixel positions (column, row), each 1/`fine` pixels wide."""
    picture = np.zeros((size[0] * fine, size[1] * fine), np.uint8)
    cv2.polylines(picture, list(_fixed(paths, fine)), False, 255, 1, cv2.LINE_AA, FRACTION)
    return _averaged(picture, size)


def _fixed(paths: NDArray[np.floating], fine: int) -> NDArray[np.int32]:
    """Return positions in OpenCV's fixed-point format, on a picture `fine` times as large."""
    finer = np.clip((paths + 0.5) * fine - 0.5, -FAR, FAR)
    fixed: NDArray[np.int32] = np.round(finer * (1 << FRACTION)).astype(np.int32)
    return fixed


def _averaged(picture: NDArray[np.uint8], size: tuple[int, int]) -> Image:
    small: NDArray[np.uint8] = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) * np.float32(1 / 255)
