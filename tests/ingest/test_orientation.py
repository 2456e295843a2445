"""Pixels in any of eight orientations are made upright, as players show them, and so are boxes on them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.video import Every, read_frames
from tests.ingest.clips import Pixels, write_clip

# EXIF's orientation → how an upright picture is stored; what the display matrix of such a video maps the
# stored x and y to (a, b, c, d: x to (a, b), y to (c, d)).
STORED = {
    1: (lambda p: p, (1, 0, 0, 1)),
    2: (lambda p: p[:, ::-1], (-1, 0, 0, 1)),
    3: (lambda p: p[::-1, ::-1], (-1, 0, 0, -1)),
    4: (lambda p: p[::-1], (1, 0, 0, -1)),
    5: (lambda p: p.transpose(1, 0, 2), (0, 1, 1, 0)),
    6: (np.rot90, (0, 1, -1, 0)),
    7: (lambda p: np.rot90(p, 2).transpose(1, 0, 2), (0, -1, -1, 0)),
    8: (lambda p: np.rot90(p, -1), (0, -1, 1, 0)),
}
eight = pytest.mark.parametrize("kind", STORED)


def shown() -> Pixels:
    """Make a picture, 48 high and 64 wide, whose eight orientations all differ."""
    rows, columns = np.mgrid[:48, :64]
    return np.stack([40 + rows * 4, 40 + columns * 3, np.where(rows < 16, 200, 60)], -1).astype(np.uint8)


def stored(kind: int) -> Pixels:
    return np.ascontiguousarray(STORED[kind][0](shown()))


def write_tagged(path: Path, pictures: list[Pixels], matrix: tuple[float, float, float, float]) -> Path:
    """Write a clip whose container has this display matrix."""
    a, b, c, d = (round(part * 65536) for part in matrix)
    if path.suffix == ".mkv":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        return path
    data = bytearray(write_clip(path, pictures).read_bytes())
    struct.pack_into(">5i", data, data.index(b"tkhd") + 44, a, b, 0, c, d)
    path.write_bytes(data)
    return path


def one(source: Path | bytes, rotation: int = 0) -> Pixels:
    (frame,) = read_frames(source, Every(9), rotation=rotation, name="it")
    return frame.pixels


@eight
@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_a_video_stored_in_any_of_eight_ways_comes_out_upright(tmp_path: Path, ending: str, kind: int):
    path = write_tagged(tmp_path / f"a{ending}", [stored(kind)] * 2, STORED[kind][1])
    found = one(path)
    assert found.shape == shown().shape
    assert np.abs(found.astype(int) - shown()).mean() < 6  # what the codec loses; a wrong way differs by 30


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        ((0, 0, 0, 0), 1),
        ((1, 1, 1, 1), 1),
        ((2, 0, 0, -1), 4),
        ((0, 0.5, -2, 0), 6),
        ((0.94, 0.34, -0.34, 0.94), 1),
        ((-0.34, 0.94, -0.94, -0.34), 6),
        ((-0.94, 0.34, 0.34, 0.94), 2),
    ],
    ids=["empty", "flat", "wide, mirrored", "narrow, turned", "by 20°", "by 110°", "mirrored, by 20°"],
)
def test_a_matrix_that_is_none_of_the_eight_is_taken_as_the_nearest(tmp_path: Path, matrix, kind: int):
    path = write_tagged(tmp_path / "a.mp4", [stored(kind)], matrix)
    assert np.abs(one(path).astype(int) - shown()).mean() < 6


def test_a_rotation_that_is_given_replaces_a_matrix_that_mirrors(tmp_path: Path):
    path = write_tagged(tmp_path / "a.mp4", [stored(3)], STORED[2][1])
    assert np.abs(one(path, rotation=180).astype(int) - shown()).mean() < 6


def exif(kind: int, order: str) -> bytes:
    """Return an EXIF block with an orientation after another entry."""
    head = {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(f"{order}IH", 8, 2)
    return head + struct.pack(f"{order}HHIHHHHIHHI", 0x0106, 3, 1, 2, 0, 0x0112, 3, 1, kind, 0, 0)


def jpeg(picture: Pixels, block: bytes) -> bytes:
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + data[2:]


def png(picture: Pixels, block: bytes) -> bytes:
    data = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + struct.pack(">I", zlib.crc32(b"eXIf" + block))
    return data[:33] + chunk + data[33:]


def webp(picture: Pixels, block: bytes) -> bytes:
    data = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
    height, width = (side - 1 for side in picture.shape[:2])
    head = b"VP8X" + struct.pack("<IB3x", 10, 8) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
    tail = b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    body = b"WEBP" + head + data[12:] + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


@eight
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("encode", [jpeg, png, webp, lambda p, block: webp(p, b"Exif\0\0" + block)])
def test_a_photo_stored_in_any_of_eight_ways_comes_out_upright(encode, order: str, kind: int):
    found = one(encode(stored(kind), exif(kind, order)))
    assert found.shape == shown().shape
    assert np.abs(found.astype(int) - shown()).mean() < 3


@pytest.mark.parametrize(
    "block",
    [exif(0, "<"), exif(9, ">"), exif(6, "<")[:20], b"II*\0\xff\xff\xff\x7f", b"MM", b"nothing"],
    ids=["0", "9", "cut", "points beyond", "two letters", "nothing"],
)
def test_a_photo_with_an_exif_that_makes_no_sense_is_as_stored(block: bytes):
    assert np.array_equal(one(png(shown(), block)), shown())


@eight
def test_a_box_on_stored_pixels_is_turned_as_they_are(kind: int):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:17, 20:50] = 255
    as_stored = STORED[kind][0](picture)
    rows, columns = (np.flatnonzero(as_stored.any((1 - axis, 2))) for axis in (0, 1))
    box = (float(columns[0]), float(rows[0]), float(len(columns)), float(len(rows)))
    (frame,) = read_frames(png(as_stored, exif(kind, "<")), Every(1))
    assert frame.orientation.of_box(box, *frame.pixels.shape[:2]) == (20, 10, 30, 7)


def test_turning_on_adds_up():
    lying = Orientation(mirrored=True, degrees=270).then(180)
    assert lying == Orientation(mirrored=True, degrees=90)
    assert np.array_equal(lying.of_pixels(stored(7)), shown())
