"""Decode images and depth maps of samples. Damaged or unexpected content raises an error."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.data.shards.unpack import Packed

DEPTH_SIZE = 32  # side of a stored depth map
FULL_DEPTH_SIZE = 256  # side of the full depth map, which some domains store in addition
DEPTH_STRIDE = 8  # image pixels per depth pixel, as in the output of the networks
MAX_SIDE = 4096  # limit on the size in a header, because decoding allocates that much memory
_PNG = b"\x89PNG\r\n\x1a\n"
_GREY8, _RGB8 = (8, 0), (8, 2)  # PNG's bit depth and colour type


def decode(
    sample: Packed, image_size: int, out: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode a sample's image and depth map, and resize them by area averaging if the stored size differs.

    Args:
        sample: the encoded sample.
        image_size: S, a multiple of 8.
        out: S×S×3 uint8, contiguous; if given, the image is written to this array, which is then returned.

    Returns:
        S×S×3 uint8 RGB, and S/8×S/8 uint8 depth.

    Raises:
        DataError: the sample is damaged, or its size is not the one in the manifest; the error names the
            sample.
    """
    size = sample.row["width"], sample.row["height"]
    image, depth = decode_stored(sample, out if size == (image_size, image_size) else None)
    return _resized(image, image_size, out), _resized(depth, image_size // DEPTH_STRIDE)


def decode_stored(
    sample: Packed, out: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decode a sample's image and depth map at their stored size.

    Args:
        sample: the encoded sample.
        out: array of the image's shape, contiguous; if given, a JPEG is decoded into it.

    Returns:
        H×W×3 uint8 RGB, and 32×32 uint8 depth.

    Raises:
        DataError: the sample is damaged, or its size is not the one in the manifest; the error names the
            sample.
    """
    row = sample.row
    try:
        image = decode_image(sample.image, row["image_ext"], (row["width"], row["height"]), out)
        return image, decode_depth(sample.depth)
    except ValueError as error:
        raise DataError(
            f"sample {row['key']} cannot be decoded: {error}",
            "ingest the domain again without this sample; it is not skipped, because that would change every "
            "later batch",
        ) from error


def decode_image(
    data: bytes, ext: str, size: tuple[int, int], out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Decode a JPEG or PNG of known width and height to H×W×3 uint8 RGB. A JPEG is decoded into `out` if given.

    Raises:
        ValueError: the image has another size, or is damaged.
    """
    found = image_size(data, ext)
    if found != size:
        raise ValueError(f"the image is {found[0]}×{found[1]} pixels, not {size[0]}×{size[1]}")
    if ext == "png":
        return _decode_png(data, grey=False)
    import simplejpeg

    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True, buffer=out)
    return pixels if out is None else out


def decode_depth(data: bytes, side: int = DEPTH_SIZE) -> NDArray[np.uint8]:
    """Decode a depth map, an 8-bit grey PNG of known side, into side×side uint8.

    Raises:
        ValueError: the data is something else, or is damaged.
    """
    width, height, kind = _png_header(data)
    if (width, height, kind) != (side, side, _GREY8):
        raise ValueError(f"the depth map is not a {side}×{side} 8-bit grey PNG")
    return _decode_png(data, grey=True)


def image_size(data: bytes, ext: str) -> tuple[int, int]:
    """Return width and height of a JPEG or 8-bit RGB PNG, from its header alone.

    Raises:
        ValueError: the data is neither, or a side is 0 or longer than `MAX_SIDE`.
    """
    if ext == "png":
        width, height, kind = _png_header(data)
        if kind != _RGB8:
            raise ValueError("the PNG is not 8-bit RGB")
    elif ext == "jpg":
        import simplejpeg

        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    else:
        raise ValueError(f"its ending '{ext}' is neither jpg nor png")
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"its header says {width}×{height} pixels, but a side has 1 to {MAX_SIDE} pixels")
    return width, height


def _png_header(data: bytes) -> tuple[int, int, tuple[int, int]]:
    if len(data) < 26 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        raise ValueError("it is not a PNG")
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    return width, height, (bits, colour)


def _decode_png(data: bytes, *, grey: bool) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB
    pixels: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError("the PNG is damaged")
    return pixels


def _resized(pixels: NDArray[np.uint8], side: int, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return the pixels resized to side×side, written to `out` if given; `out` may be `pixels` itself."""
    if pixels.shape[:2] != (side, side):
        import cv2

        pixels = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    if out is None:
        return pixels
    if pixels is not out:
        out[:] = pixels
    return out
