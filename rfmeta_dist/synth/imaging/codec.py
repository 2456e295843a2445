"""Encode and decode lossy formats: JPEG for stored crops and some cameras, H.264 for video cameras."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

import av
import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Format = Literal["jpeg", "h264"]


def encode_jpeg(picture: Pixels, quality: float) -> bytes:
    """Encode a picture as JPEG. Colour is stored at half the resolution in both directions, as cameras do.

    Args:
        picture: H×W×3 uint8 RGB, of any size.
        quality: 1 (smallest file) to 100 (least loss). It is rounded, and a value outside is moved to the
            nearest end of the range.

    Raises:
        ValueError: the picture has another shape or type.
    """
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture),
        quality=round(min(max(quality, 1.0), 100.0)),
        colorspace="RGB",
        colorsubsampling="420",
    )
    return data


def decode_jpeg(data: bytes) -> Pixels:
    """Return the picture of JPEG bytes, H×W×3 uint8 RGB.

    Raises:
        ValueError: the bytes are not a whole JPEG file.
    """
    picture: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return picture


def recorded(picture: Pixels, file_format: Format, quality: float) -> Pixels:
    """Encode and decode a picture, to give it the traces of a camera's file format.

    Args:
        picture: H×W×3 uint8 RGB. For h264, H and W must be even.
        file_format: `jpeg` or `h264`.
        quality: 1 to 100; the same number loses about as much in either format.

    Returns:
        The decoded picture, H×W×3 uint8 RGB.
    """
    if file_format == "jpeg":
        return decode_jpeg(encode_jpeg(picture, quality))
    return _through_h264(picture, crf_of(quality))


def crf_of(quality: float) -> int:
    """Return the rate factor of libx264 that loses about as much as JPEG of this quality, 1 to 100."""
    return round(min(max(18.5 + 0.28 * (90.0 - quality), 8.0), 46.0))


def _through_h264(picture: Pixels, crf: int) -> Pixels:
    """Encode and decode an intra frame with libx264. On one thread, the bytes do not depend on timing."""
    height, width = picture.shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.thread_count = Fraction(1, 25), Fraction(25), 1
    encoder.options = {"crf": str(crf), "preset": "veryfast", "g": "1", "threads": "1", "tune": "zerolatency"}
    planes = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420)
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")), *encoder.encode(None)]
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    stored: Pixels = cv2.cvtColor(frames[0].to_ndarray(format="yuv420p"), cv2.COLOR_YUV2RGB_I420)
    return stored
