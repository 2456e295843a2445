"""A still image → its pixels in RGB and its orientation: JPEG, PNG, BMP or WebP, told by its content."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, cast

from rfmeta_dist.ingest.orientation import Orientation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MAX_PIXELS = 1 << 26  # of a picture; a header may claim any size, and decoding would allocate it
HEAD = 12  # bytes that tell what a file is
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# What is found under names that end in .jpg and is not read, by its first bytes, counted from byte 4 or from 0.
# FFmpeg would take some of these for films, and give a part of the picture, or the picture as it lies.
_BOXED = {b"ftyp" + brand: "a HEIC picture" for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")}
_BOXED |= {b"ftypmif1": "a HEIC picture", b"ftypmsf1": "a HEIC picture"}
_BOXED |= {b"ftypavif": "an AVIF picture", b"ftypavis": "an AVIF picture", b"JXL ": "a JPEG XL picture"}
_BOXED |= {b"jP  ": "a JPEG 2000 picture"}
_FOREIGN = {b"II*\0": "a TIFF picture", b"MM\0*": "a TIFF picture", b"GIF8": "a GIF picture"}
_FOREIGN |= {b"\xff\x0a": "a JPEG XL picture", b"%PDF": "a document", b"<": "a web page"}


def still_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a still image, in pixels as stored, from its header alone.

    Raises:
        ValueError: it is no still image that can be read here, or claims to be empty or of over `MAX_PIXELS`.
    """
    if not is_still(data[:HEAD]):
        raise ValueError("it is not a JPEG, PNG, BMP or WebP image")
    width, height = _size(data)
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"it claims to be {width}×{height} pixels, which is none or above {MAX_PIXELS}")
    return width, height


def is_still(head: bytes) -> bool:
    """Return True if a file with these first bytes is a still image that can be read here.

    Raises:
        ValueError: it is neither that nor a film, but something else that is known.
    """
    for table, start in ((_FOREIGN, head), (_BOXED, head[4:])):
        for mark, what in table.items():
            if start.startswith(mark):
                remedy = ", which is not supported; save it as JPEG or PNG" if what.endswith("picture") else ""
                raise ValueError(f"by its content it is {what}{remedy}")
    return head.startswith((_JPEG, _PNG, b"BM")) or _is_webp(head)


def decode_still(data: bytes) -> tuple[Pixels, Orientation]:
    """Decode a still image; grey, deeper than 8 bits, transparent or CMYK ones become 8-bit RGB.

    Returns:
        H×W×3 uint8 as stored, and what its EXIF says would make them upright.

    Raises:
        ValueError: it is damaged, or claims more than `MAX_PIXELS`.
    """
    import cv2
    import numpy as np

    still_size(data)  # before anything is allocated for it
    if data.startswith(_JPEG):
        import simplejpeg

        simplejpeg.decode_jpeg(data, strict=True)  # OpenCV fills in what is damaged
    # OpenCV would turn the picture itself, but not tell how: boxes drawn on it must be turned alike.
    pixels, kinds, notes = cv2.imdecodeWithMetadata(
        np.frombuffer(data, np.uint8), flags=cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    )
    if pixels is None:
        raise ValueError("the picture is damaged")
    exif = dict(zip(kinds, notes, strict=True)).get(cv2.IMAGE_METADATA_EXIF)
    return cast("Pixels", pixels), Orientation() if exif is None else Orientation.of_exif(exif.tobytes())


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _size(data: bytes) -> tuple[int, int]:
    """Width and height as the header claims them. A header that is cut short claims nothing."""
    if data.startswith(_JPEG):
        import simplejpeg

        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        return int(width), int(height)
    head = data[:32].ljust(32, b"\0")
    if head.startswith(_PNG):
        width, height = struct.unpack(">II", head[16:24])
    elif _is_webp(head):
        return _webp_size(head)
    elif head[14:18] == b"\x0c\0\0\0":  # the BMP header of OS/2
        width, height = struct.unpack("<HH", head[18:22])
    else:
        width, height = struct.unpack("<ii", head[18:26])
    return abs(width), abs(height)  # rows of a BMP may be counted from the top by a minus


def _webp_size(head: bytes) -> tuple[int, int]:
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", head[26:30])
            return width & 0x3FFF, height & 0x3FFF
    return 0, 0
