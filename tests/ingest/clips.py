"""Write encoded clips of invented people, for tests that read a data set."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan, render

Pixels = NDArray[np.uint8]

FACE = 192  # side of a person's picture
CODECS = {".avi": "mpeg4", ".mov": "mjpeg", ".mp4": "libx264", ".mkv": "libx264"}


@cache
def person(number: int) -> Pixels:
    """Return an invented person, FACE×FACE×3 RGB; equal numbers give equal people."""
    videos = plan("O", SCALES["tiny"], 0, None)
    live = [video for video in videos if video.attack_type == "live"]
    sample = render(replace(live[number], size=FACE, frames=1))[0]
    return decode_image(sample.image, "jpg", (FACE, FACE))


def scene(*people: tuple[int, int, int], width: int = 480, height: int = 360) -> Pixels:
    """Return a picture of a room with people in it, each given as (number, left, top)."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([90 + rows * 60 // height, 90 + columns * 60 // width, np.full_like(rows, 110)], -1)
    for number, left, top in people:
        picture[top : top + FACE, left : left + FACE] = person(number)
    return picture.astype(np.uint8)


def moving(number: int, frames: int, *, width: int = 480, height: int = 360) -> list[Pixels]:
    """Return pictures of a person who moves to the right by two pixels per frame."""
    return [scene((number, 100 + 2 * frame, 80), width=width, height=height) for frame in range(frames)]


def write_clip(path: Path, pictures: Iterable[Pixels], *, codec: str | None = None, rate: int = 25) -> Path:
    """Encode pictures of one size; the codec follows from the ending if not given."""
    codec = codec or CODECS[path.suffix]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"threads": "1"})
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 2_000_000
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def tag_rotation(path: Path, degrees: int) -> Path:
    """Write a clockwise rotation mark into an MP4 or MOV, as phones do."""
    data = bytearray(path.read_bytes())
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = data.index(b"tkhd") + 44  # behind version, times, track, duration, layer and volume
    struct.pack_into(">5i", data, matrix, cos << 16, sin << 16, 0, -sin << 16, cos << 16)
    path.write_bytes(data)
    return path


def write_still(path: Path, picture: Pixels) -> Path:
    """Write a picture in the format of its ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def read_by_opencv(path: Path) -> Sequence[Pixels]:
    """Return all frames of a clip as OpenCV reads them, for comparison."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (got := capture.read())[0]:
        frames.append(got[1][..., ::-1])
    return frames
