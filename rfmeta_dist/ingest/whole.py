"""Find out whether a video file was cut short, from the lengths that its container gives for its parts.

Neither the number of frames nor the duration in a header decides it: recorders count frames that they dropped,
or one too many, and the sound may go on after the last picture. But a container gives the length of each of its
parts, and a file that was cut short ends within one of them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

_MISCOUNT = 8  # AVI writers may or may not count a header of 8 bytes in the length of the list of frames
_UNKNOWN = 0xFFFFFF00  # this length or more, or 0, is a placeholder that an AVI writer did not replace
_SEGMENT = 0x18538067  # the Matroska element that contains all others …
_FRAMES = (0x1F43B675, 0xA0, 0xA3)  # … and those that contain frames: cluster, block group and block


def is_cut_short(file: BinaryIO, container: str) -> bool | None:
    """Return True if a file ends within one of the parts of its container.

    Args:
        file: an open file, positioned anywhere.
        container: FFmpeg's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`.

    Returns:
        None if the container gives no lengths.
    """
    walk = {"avi": _avi, "mov": _mp4, "matroska": _matroska}.get(container.split(",", 1)[0])
    ends = list(walk(file)) if walk else []
    return max(ends) > file.seek(0, io.SEEK_END) if ends else None


def _at(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _avi(file: BinaryIO) -> Iterator[int]:
    """Yield the positions at which the lists of frames end. A long AVI has several."""
    place = 0
    while len(head := _at(file, place, 12)) == 12 and head[:4].isalnum():
        name, length, kind = struct.unpack("<4sI4s", head)
        if (name, kind) == (b"LIST", b"movi"):
            if not 0 < length < _UNKNOWN:
                return
            yield place + 8 + length - _MISCOUNT
        place += 12 if name == b"RIFF" else 8 + length + length % 2


def _mp4(file: BinaryIO) -> Iterator[int]:
    """Yield the positions at which the boxes of frames and their descriptions end. Other boxes may follow."""
    place = 0
    while len(head := _at(file, place, 16)) >= 8:
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:
            return  # length 0 means that the box reaches to the end of the file, so it announces no end
        if name in (b"mdat", b"moov", b"moof"):
            yield place + length
        place += length


def _matroska(file: BinaryIO) -> Iterator[int]:
    """Yield the position at which the segment ends, or where each cluster ends if the segment's length is open.

    The length of the segment is open in a live recording.
    """
    place = 0
    while element := _element(_at(file, place, 12)):
        name, header, length = element
        place += header
        if length is None:
            continue  # the length is open; the parts of the element follow
        place += length
        if name == _SEGMENT or name in _FRAMES:
            yield place
        if name == _SEGMENT:
            return


def _element(head: bytes) -> tuple[int, int, int | None] | None:
    """Return an EBML element's name, length of header, and length of content (None if it is left open)."""
    width = 9 - head[0].bit_length() if head else 0  # leading zero bits count the bytes that follow
    if not 0 < width <= 4 or len(head) <= width or not head[width]:
        return None
    end = width + 9 - head[width].bit_length()
    every_bit = (1 << 7 * (end - width)) - 1
    length = int.from_bytes(head[width:end], "big") & every_bit
    return int.from_bytes(head[:width], "big"), end, None if length == every_bit else length
