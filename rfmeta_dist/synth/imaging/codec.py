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
    """Encode an RGB picture as JPEG with halved chroma resolution, as cameras do; quality from 1 to 100."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture),
        quality=round(min(max(quality, 1.0), 100.0)),
        colorspace="RGB",
        colorsubsampling="420",
    )
    return data


def decode_jpeg(data: bytes) -> Pixels:
    """Return the RGB picture of JPEG bytes."""
    picture: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return picture


def recorded(picture: Pixels, file_format: Format, quality: float) -> Pixels:
    """Return an RGB picture, H×W×3 with even sides, as it is decoded from a camera's recording.

    Quality runs from 1 to 100 for both formats; the same number loses about as much in either.
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
