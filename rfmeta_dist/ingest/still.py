"""Decode a still image to RGB pixels and its orientation: JPEG, PNG, BMP or WebP, recognised by its content."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, cast

from rfmeta_dist.ingest.orientation import Orientation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

MAX_PIXELS = 1 << 26  # largest picture; a header may claim any size, and decoding would allocate memory for it
HEAD = 12  # how many first bytes of a file identify its format
# A JPEG file may hold any number of scans, each of which makes the decoder go over all pixels again. A small
# file with thousands of them would take hours. Encoders write about ten, and a marker for each 64 KB of notes.
_SCANS, _MARKERS = 100, 2000
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # within the data of a scan, no such bytes occur
_SCAN, _END = b"\xda", b"\xd9"
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# Unsupported formats that occur under names ending in .jpg, by their first bytes from byte 4 (_BOXED) or from
# byte 0 (_FOREIGN). FFmpeg would read some of these as videos and return a part of the picture, or not turn it.
_BOXED = {b"ftyp" + brand: "a HEIC picture" for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")}
_BOXED |= {b"ftypmif1": "a HEIC picture", b"ftypmsf1": "a HEIC picture"}
_BOXED |= {b"ftypavif": "an AVIF picture", b"ftypavis": "an AVIF picture", b"JXL ": "a JPEG XL picture"}
_BOXED |= {b"jP  ": "a JPEG 2000 picture"}
_FOREIGN = {b"II*\0": "a TIFF picture", b"MM\0*": "a TIFF picture", b"GIF8": "a GIF picture"}
_FOREIGN |= {b"\xff\x0a": "a JPEG XL picture", b"%PDF": "a document", b"<": "a web page"}


class SizeError(ValueError):
    """A still image claims to have no pixels, or too many."""


def still_size(data: bytes, most: int = MAX_PIXELS) -> tuple[int, int]:
    """Return width and height of a still image, in pixels as stored, from its header alone.

    Args:
        data: the file.
        most: number of pixels that it may have.

    Raises:
        SizeError: it claims to be empty, or above `most`.
        ValueError: the data are not a supported still image.
    """
    if not is_still(data[:HEAD]):
        raise ValueError("it is not a JPEG, PNG, BMP or WebP image")
    width, height = _size(data)
    if not 0 < width * height <= most:
        raise SizeError(f"it claims to be {width}×{height} pixels, which is none or above {most}")
    return width, height


def is_still(head: bytes) -> bool:
    """Return True if a file with these first bytes is a still image of a supported format.

    Raises:
        ValueError: the file has a known format that is neither a supported image nor a video.
    """
    for table, start in ((_FOREIGN, head), (_BOXED, head[4:])):
        for mark, what in table.items():
            if start.startswith(mark):
                remedy = ", which is not supported; save it as JPEG or PNG" if what.endswith("picture") else ""
                raise ValueError(f"by its content it is {what}{remedy}")
    return head.startswith((_JPEG, _PNG, b"BM")) or _is_webp(head)


def decode_still(data: bytes) -> tuple[Pixels, Orientation]:
    """Decode a still image. Grey, transparent and CMYK images, and those above 8 bits, become 8-bit RGB.

    Returns:
        H×W×3 uint8 as stored, and the orientation that its EXIF block gives.

    Raises:
        ValueError: the image is damaged, or claims more than `MAX_PIXELS`.
    """
    import cv2
    import numpy as np

    still_size(data)  # checks the size before memory is allocated for the pixels
    if data.startswith(_JPEG):
        import simplejpeg

        _require_few_scans(data)
        simplejpeg.decode_jpeg(data, strict=True)  # raises for damage, which OpenCV would fill in silently
    # Tell OpenCV not to turn the picture: it would not say how, and annotated boxes must be turned alike.
    pixels, kinds, notes = cv2.imdecodeWithMetadata(
        np.frombuffer(data, np.uint8), flags=cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    )
    if pixels is None:
        raise ValueError("the picture is damaged")
    exif = dict(zip(kinds, notes, strict=True)).get(cv2.IMAGE_METADATA_EXIF)
    return cast("Pixels", pixels), Orientation() if exif is None else Orientation.of_exif(exif.tobytes())


def _require_few_scans(data: bytes) -> None:
    """Raise ValueError if decoding a JPEG file would take far longer than its number of pixels says."""
    if data.count(b"\xff" + _SCAN) <= _SCANS:  # the usual case; this is much faster than following the markers
        return
    at, scans = 2, 0
    for _ in range(_MARKERS):
        found = _MARKER.search(data, at)
        if (
            not found or found[1] == _END
        ):  # what follows the end of the picture, such as a video, is not decoded
            return
        scans += found[1] == _SCAN
        if scans > _SCANS:
            raise ValueError(f"the picture has more than {_SCANS} scans, which no camera writes")
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2])  # skips the marker's own data
    raise ValueError(f"the picture has more than {_MARKERS} markers, which no camera writes")


def _is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def _size(data: bytes) -> tuple[int, int]:
    """Return width and height as the header gives them; 0 if the header is cut short."""
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
    return abs(width), abs(height)  # a negative height of a BMP says that its rows are stored from the top


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
