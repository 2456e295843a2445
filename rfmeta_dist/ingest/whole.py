"""Find out whether a video file was cut short, from the sizes that the parts of its container announce.

Neither the number of frames nor the duration in a header is a sign: recorders count frames that they dropped,
or one too many, and the sound may go on after the last picture. But a container says how long its parts are,
and a file that was cut ends within one.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

_MISCOUNT = 8  # bytes by which AVI writers err on their list of frames, which counts a header of 8 bytes or not
_UNKNOWN = 0xFFFFFF00  # such a length, or none, is a placeholder that an AVI writer never came back to fill in
_SEGMENT = 0x18538067  # the element of Matroska that holds all others …
_FRAMES = (0x1F43B675, 0xA0, 0xA3)  # … and those that hold frames: cluster, block group and block


def is_cut_short(file: BinaryIO, container: str) -> bool | None:
    """Return True if a file ends within one of the parts of its container.

    Args:
        file: from its start.
        container: FFmpeg's name of the format, such as `mov,mp4,m4a,3gp,3g2,mj2`.

    Returns:
        None if the container announces no lengths.
    """
    walk = {"avi": _avi, "mov": _mp4, "matroska": _matroska}.get(container.split(",", 1)[0])
    ends = list(walk(file)) if walk else []
    return max(ends) > file.seek(0, io.SEEK_END) if ends else None


def _at(file: BinaryIO, place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def _avi(file: BinaryIO) -> Iterator[int]:
    """Yield where the lists of frames end; a long AVI has several."""
    place = 0
    while len(head := _at(file, place, 12)) == 12 and head[:4].isalnum():
        name, length, kind = struct.unpack("<4sI4s", head)
        if (name, kind) == (b"LIST", b"movi"):
            if not 0 < length < _UNKNOWN:
                return
            yield place + 8 + length - _MISCOUNT
        place += 12 if name == b"RIFF" else 8 + length + length % 2


def _mp4(file: BinaryIO) -> Iterator[int]:
    """Yield where the boxes of frames and of their descriptions end; other boxes may follow, or other data."""
    place = 0
    while len(head := _at(file, place, 16)) >= 8:
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8:
            return  # 0 is a box up to the end of the file, wherever that is
        if name in (b"mdat", b"moov", b"moof"):
            yield place + length
        place += length


def _matroska(file: BinaryIO) -> Iterator[int]:
    """Yield where the segment ends; or, in a live recording, whose length is open, where each cluster ends."""
    place = 0
    while element := _element(_at(file, place, 12)):
        name, header, length = element
        place += header
        if length is None:
            continue  # its parts come next
        place += length
        if name == _SEGMENT or name in _FRAMES:
            yield place
        if name == _SEGMENT:
            return


def _element(head: bytes) -> tuple[int, int, int | None] | None:
    """Return an EBML element's name, length of header and length of content, which is None if left open."""
    width = 9 - head[0].bit_length() if head else 0  # leading zero bits count the bytes that follow
    if not 0 < width <= 4 or len(head) <= width or not head[width]:
        return None
    end = width + 9 - head[width].bit_length()
    every_bit = (1 << 7 * (end - width)) - 1
    length = int.from_bytes(head[width:end], "big") & every_bit
    return int.from_bytes(head[:width], "big"), end, None if length == every_bit else length
