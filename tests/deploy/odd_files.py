"""Pictures of every kind that people bring, and files that are none, for tests that score them."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg

from tests.ingest.clips import Pixels, moving, scene, write_clip, write_still

_ON_ITS_SIDE = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def photo() -> Pixels:
    return scene((0, 140, 60))


def _encoded(pixels: np.ndarray, ending: str = ".png") -> bytes:
    bgr = np.dstack([pixels[..., 2::-1], pixels[..., 3:]])
    return cv2.imencode(ending, np.ascontiguousarray(bgr))[1].tobytes()


def _turned() -> bytes:
    """As phones store a picture that was taken upright."""
    data = _encoded(np.rot90(photo()), ".jpg")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(_ON_ITS_SIDE) + 2) + _ON_ITS_SIDE + data[2:]


def _cmyk() -> bytes:
    inks = np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)])
    return bytes(simplejpeg.encode_jpeg(inks, 98, "CMYK", "444"))


def _see_through() -> bytes:
    return _encoded(np.dstack([photo(), np.full(photo().shape[:2], 255, np.uint8)]))


PICTURES: Mapping[str, Callable[[], bytes]] = {
    "jpeg": lambda: _encoded(photo(), ".jpg"),
    "webp": lambda: _encoded(photo(), ".webp"),
    "bmp": lambda: _encoded(photo(), ".bmp"),
    "16 bits": lambda: _encoded(photo().astype(np.uint16) * 257),
    "alpha": _see_through,
    "cmyk": _cmyk,
    "turned by exif": _turned,
    "lying without exif": lambda: _encoded(np.rot90(photo())),
}


def _claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a huge picture; all its pixels are zero."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _gif() -> bytes:
    """An animated GIF of two frames."""
    head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff"
    frame = b"!\xf9\x04\0\x0a\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return head + frame * 2 + b";"


UNREADABLE: Mapping[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"I am a text.\n" * 30,
    "animated gif": _gif,
    "heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "100 megapixels": lambda: _claims(10_000, 10_000),
    "decompression bomb": lambda: _claims(0x7FFFFFFF, 0x7FFFFFFF),
    "png with missing pixels": lambda: _claims(4000, 4000),
    "jpeg cut short": lambda: _encoded(photo(), ".jpg")[:6000],
    "video without frames": lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x08free",
}


def _irregular(path: Path) -> None:
    """A video whose frames are shown for different times, as phones record."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1000, options={"threads": "1"})
        stream.pix_fmt = "yuv420p"
        for number, (picture, time) in enumerate(zip(moving(0, 5), (0, 33, 80, 300, 333), strict=True)):
            if not number:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


# The names of the files of `write_odd` that have a face that can be scored.
MADE = {"a.jpg", "b/\\xffphoto.jpg", "b/line\nend.png", "clip.mp4", "irregular.mp4", "link.jpg", "turned.jpg"}


def write_odd(folder: Path) -> dict[str, str]:
    """Write a folder with what may lie in folders of users. Return the reason of each file that is left out."""
    (folder / "b").mkdir(parents=True)
    data = PICTURES["jpeg"]()
    (folder / "a.jpg").write_bytes(data)
    Path(os.fsdecode(os.fsencode(folder) + b"/b/\xffphoto.jpg")).write_bytes(data)
    write_still(folder / "b/line\nend.png", photo())
    (folder / "turned.jpg").write_bytes(PICTURES["turned by exif"]())
    write_clip(folder / "clip.mp4", moving(0, 3))
    _irregular(folder / "irregular.mp4")
    (folder / "link.jpg").symlink_to("a.jpg")
    reasons = {}
    for name, made in UNREADABLE.items():
        (folder / f"{name}.jpg").write_bytes(made())
        reasons[f"{name}.jpg"] = "no_picture" if name == "text" else "unreadable"
    whole = (folder / "clip.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "b/circle").symlink_to(folder)
    (folder / "gone.jpg").symlink_to("missing.jpg")
    os.mkfifo(folder / "pipe.jpg")
    write_still(folder / "pixel.png", np.zeros((1, 1, 3), np.uint8))
    write_still(folder / "two.png", scene((0, 20, 60), (1, 260, 60)))
    return reasons | {
        "cut.mp4": "unreadable",
        "b/circle": "link",
        "gone.jpg": "gone",
        "pipe.jpg": "no_file",
        "pixel.png": "no_face",
        "two.png": "several_faces",
    }
