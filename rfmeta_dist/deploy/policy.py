"""Decide whether a face is fit to be scored. One that is not is refused: its score would mean little.

The limits lie far outside of what detectors are trained on. They were chosen on 156 portraits of people with
many skin tones, and on 2,681 faces of the generated domains, of which 828 are live. None of these is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from rfmeta_dist.deploy.results import REASONS, Refused
from rfmeta_dist.ingest.crop import Native, Square
from rfmeta_dist.ingest.face import bounds

if TYPE_CHECKING:
    from rfmeta_dist.deploy.results import Reason
    from rfmeta_dist.ingest.crop import CropRule, Pixels
    from rfmeta_dist.ingest.face import Box, Points
    from rfmeta_dist.ingest.upright import Look

# Smallest side in pixels of the square that is cut out around a face. It is the smallest crop that
# `rfmeta ingest --size native` keeps.
SMALLEST = 64
# The square's side must also be at least this fraction of the model's input. At one half, three quarters of the
# pixels that the model sees are interpolated already, and the fine traces of paper and screens are lost.
LEAST_SHARE = 0.5
# Grey level from 0 to 255 that the brightest tenth of a face must reach. The darkest portrait reaches 127, the
# darkest generated face 50. Below 40, a face has too few grey levels to show the texture of skin or paper.
DARKEST = 40.0
# Sharpness is the standard deviation of the Laplacian over that of the grey levels, in the face at 64×64
# pixels. The least sharp portrait has 0.40, the least sharp generated face 0.19. A Gaussian blur whose sigma is
# 2 % of the square's side leaves 0.14 (median over the portraits).
LEAST_SHARPNESS = 0.15
_SIDE = 64  # in pixels, at which brightness and sharpness are measured, whatever the size of the face
# A video is refused if fewer of its sampled frames than this fraction are scored: the verdict would otherwise
# rest on the few frames that somebody lets through.
LEAST_FRAMES = 0.5


def unseen(look: Look, turned: int, *, upright: bool) -> Refused | None:
    """Return the refusal of a picture without a face or with several; None if it has exactly one.

    Args:
        look: what the search for faces has found.
        turned: degrees by which the picture was turned before.
        upright: True if a face that is lying is refused too.
    """
    if look.landmarks is None:
        return Refused("no_face", REASONS["no_face"], turned=turned)
    if look.crowded:
        return Refused("several_faces", REASONS["several_faces"], bounds(look.landmarks), turned)
    if upright and look.upright == 0:
        return Refused("lying", REASONS["lying"], bounds(look.landmarks), turned)
    return None


def unfit(pixels: Pixels, landmarks: Points, square: Square, least: int, turned: int) -> Refused | None:
    """Return the refusal of a face that is too small, too dark or too blurred; None if it is fit.

    Args:
        pixels: H×W×3 uint8 RGB, upright.
        landmarks: of the face, 468×3 in pixels of the picture.
        square: what is cut out around the face.
        least: smallest side of the square in pixels; see `smallest`.
        turned: degrees by which the picture was turned before.
    """
    box = bounds(landmarks)
    if square.side < least:
        found = f"The square around the face has a side of {square.side} pixels; at least {least} are needed."
        return _refused("too_small", found, box, turned)
    brightness, sharpness = measure(pixels, landmarks)
    if brightness < DARKEST:
        found = f"Its brightest tenth has a grey level of {brightness:.0f}; at least {DARKEST:.0f} is needed."
        return _refused("too_dark", found, box, turned)
    if sharpness < LEAST_SHARPNESS:
        found = f"Its sharpness is {sharpness:.2f}; at least {LEAST_SHARPNESS} is needed."
        return _refused("blurred", found, box, turned)
    return None


def smallest(side: int, rule: CropRule) -> int:
    """Return the smallest side in pixels of the square that may be cut out around a face.

    Args:
        side: side of the model's input in pixels.
        rule: how faces are cut.
    """
    kept = rule.size.smallest if isinstance(rule.size, Native) else SMALLEST
    return max(kept, SMALLEST, round(LEAST_SHARE * side))


def measure(pixels: Pixels, landmarks: Points) -> tuple[float, float]:
    """Return the brightness and the sharpness of a face.

    Args:
        pixels: H×W×3 uint8 RGB.
        landmarks: of the face, 468×3 in pixels of the picture.

    Returns:
        The grey level from 0 to 255 that a tenth of the face's pixels exceed; and the standard deviation of the
        Laplacian over that of the grey levels, 0 for a face of one grey.
    """
    face = Square.around(landmarks, 1.0).cut(pixels, _SIDE)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = float(grey.std())
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).std()) / contrast if contrast else 0.0
    # The first call of np.percentile imports numpy.ma, which would take a tenth of the time of the command.
    bright = round(0.9 * (grey.size - 1))
    return float(np.partition(grey, bright, axis=None)[bright]), sharpness


def _refused(reason: Reason, found: str, box: Box, turned: int) -> Refused:
    return Refused(reason, f"{REASONS[reason]} {found}", box, turned)
