"""Still images of every kind that people bring: the same picture comes out, and damage or a bomb is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import simplejpeg

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.video import Every, read_frames
from tests.ingest.clips import Pixels

JPEG_TAG = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # on its right side


def picture() -> Pixels:
    """48 high, 80 wide, every colour changing slowly: what JPEG and WebP keep."""
    rows, columns = np.mgrid[:48, :80]
    return np.stack([40 + rows * 3, 220 - columns * 2, 60 + rows + columns], -1).astype(np.uint8)


def read(data: bytes) -> Pixels:
    (frame,) = read_frames(data, Every(1), name="the picture")
    return frame.pixels


def encoded(ending: str, pixels: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(ending, pixels, options)[1].tobytes()


def bgr() -> Pixels:
    return np.ascontiguousarray(picture()[..., ::-1])


def deep() -> bytes:
    return encoded(".png", bgr().astype(np.uint16) * 257)


def see_through() -> bytes:
    return encoded(".png", np.dstack([bgr(), np.full((48, 80), 128, np.uint8)]))


def cmyk() -> bytes:
    """As print shops send them: inks inverted, as Adobe writes them."""
    inks = np.dstack([picture(), np.full((48, 80), 255, np.uint8)])
    return bytes(simplejpeg.encode_jpeg(inks, 98, "CMYK", "444"))


def progressive() -> bytes:
    return encoded(".jpg", bgr(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_QUALITY, 98)


def trailed() -> bytes:
    """Phones put films and notes behind the picture."""
    return encoded(".jpg", bgr(), cv2.IMWRITE_JPEG_QUALITY, 98) + b"SEFT" * 100


def top_down() -> bytes:
    """A BMP whose rows begin at the top, which a minus before the height says."""
    data = encoded(".bmp", bgr()[::-1])
    return data[:22] + struct.pack("<i", -48) + data[26:]


KINDS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: encoded(".jpg", bgr(), cv2.IMWRITE_JPEG_QUALITY, 98),
    "JPEG, progressive": progressive,
    "JPEG, CMYK": cmyk,
    "JPEG, something behind it": trailed,
    "PNG": lambda: encoded(".png", bgr()),
    "PNG, 16 bits": deep,
    "PNG, transparent": see_through,
    "BMP": lambda: encoded(".bmp", bgr()),
    "BMP, top down": top_down,
    "WebP": lambda: encoded(".webp", bgr(), cv2.IMWRITE_WEBP_QUALITY, 98),
    "WebP, lossless": lambda: encoded(".webp", bgr(), cv2.IMWRITE_WEBP_QUALITY, 101),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
def test_every_kind_gives_the_picture(make: Callable[[], bytes]):
    found = read(make())
    assert (found.shape, found.dtype) == ((48, 80, 3), np.uint8)
    assert np.abs(found.astype(int) - picture()).mean() < 3


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_grey_picture_is_grey_in_all_colours(ending: str):
    grey = cv2.cvtColor(picture(), cv2.COLOR_RGB2GRAY)
    found = read(encoded(ending, grey)).astype(int)
    assert np.ptp(found, axis=2).max() == 0
    assert np.abs(found[..., 0] - grey).mean() < 2


@pytest.mark.parametrize("kind", ["BMP", "PNG", "PNG, 16 bits", "WebP", "WebP, lossless"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_picture_cut_short_is_refused(kind: str, share: float):
    data = KINDS[kind]()
    with pytest.raises(DataError, match="the picture cannot be read"):
        read(data[: int(len(data) * share)])


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def big_png() -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 16_000, 16_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000)))


def big_jpeg() -> bytes:
    data = KINDS["JPEG"]()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 16_000, 16_000) + data[at + 4 :]


def big_bmp() -> bytes:
    data = KINDS["BMP"]()
    return data[:18] + struct.pack("<ii", 16_000, -16_000) + data[26:]


def big_old_bmp() -> bytes:
    return b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 16_000, 16_000, 1, 24) + bytes(100)


def big_webp(kind: bytes) -> bytes:
    head = {
        b"VP8X": bytes(4) + (15_999).to_bytes(3, "little") * 2,
        b"VP8L": b"\x2f" + (15_999 | 15_999 << 14).to_bytes(4, "little"),
        b"VP8 ": bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 16_000, 16_000),
    }[kind]
    return b"RIFF" + struct.pack("<I", 1000) + b"WEBP" + kind + struct.pack("<I", 900) + head + bytes(900)


BOMBS = {"PNG": big_png(), "JPEG": big_jpeg(), "BMP": big_bmp(), "BMP of OS/2": big_old_bmp()}
BOMBS |= {kind.decode(): big_webp(kind) for kind in (b"VP8X", b"VP8L", b"VP8 ")}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS.keys())
def test_a_picture_that_claims_too_much_is_refused_before_it_is_decoded(data: bytes):
    with pytest.raises(DataError, match="claims to be 16000×16000 pixels"):
        read(data)


def test_the_content_says_what_a_file_is(tmp_path):
    path = tmp_path / "from-the-web.jpg"
    path.write_bytes(KINDS["WebP, lossless"]())
    (frame,) = read_frames(path, Every(1))
    assert np.array_equal(frame.pixels, picture())


FOREIGN = {
    "a HEIC picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "a TIFF picture": encoded(".tiff", bgr()),
    "a GIF picture": encoded(".gif", bgr()),
    "a JPEG 2000 picture": encoded(".jp2", bgr()),
    "a web page": b"<!DOCTYPE html><html>Please sign in</html>",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_another_kind_of_picture_under_a_name_of_ours_is_told_what_it_is(what: str):
    with pytest.raises(DataError, match=f"by its content it is {what}") as caught:
        read(FOREIGN[what])
    assert ("save it as JPEG or PNG" in caught.value.problem) == what.endswith("picture")


def test_an_avif_is_not_taken_for_a_film_whose_rotation_is_lost():
    try:
        data = encoded(".avif", bgr())
    except cv2.error:
        pytest.skip("this OpenCV writes no AVIF")
    with pytest.raises(DataError, match="by its content it is an AVIF picture"):
        read(data)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG, progressive", "JPEG, CMYK"])
def test_a_photo_that_lies_on_its_side_is_turned(kind: str):
    data = KINDS[kind]()
    tagged = data[:2] + b"\xff\xe1" + struct.pack(">H", len(JPEG_TAG) + 2) + JPEG_TAG + data[2:]
    assert np.array_equal(read(tagged), np.rot90(read(data), -1))


def test_scans_without_end_are_refused_and_bytes_like_them_behind_the_picture_are_not():
    # Each scan makes the decoder go over all pixels again. Phones put films behind pictures, whose bytes may
    # look like the beginning of a scan.
    whole = progressive()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(DataError, match="more than 100 scans"):
        read(whole[:-2] + 200 * last + whole[-2:])
    np.testing.assert_array_equal(read(whole + 200 * last), read(whole))
    notes = b"\xff\xe5\x03\x22" + 200 * b"\xff\xda\0\x02"
    np.testing.assert_array_equal(read(whole[:2] + notes + whole[2:]), read(whole))
    with pytest.raises(DataError, match="more than 2000 markers"):
        read(whole[:2] + 3000 * b"\xff\xe5\0\x02" + whole[2:-2] + 200 * last + whole[-2:])
