"""Clients that a service has to refuse, for bench.serve. Each returns in a word what became of it."""

from __future__ import annotations

import socket
import struct
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress

HEAD = b"POST /score HTTP/1.1\r\nHost: bench\r\n"
_CHUNK = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
_SECONDS = 60.0

Address = tuple[str, int]


def cases(picture: bytes) -> Mapping[str, Callable[[Address], str]]:
    """Return hostile clients by name.

    Args:
        picture: a JPEG file that can be scored, from which damaged ones are made.
    """
    return {
        "10 GB claimed": lambda to: _told(to, HEAD + b"Content-Length: 10000000000\r\n\r\n"),
        "chunks without end": _endless,
        "decompression bomb": lambda to: _posted(to, _bomb()),
        "thousands of scans": lambda to: _posted(to, _scans()),
        "JPEG cut short": lambda to: _posted(to, picture[: len(picture) // 2]),
        "text": lambda to: _posted(to, b"this is no picture " * 1000),
        "empty": lambda to: _posted(to, b""),
        "headers of 1 MB": lambda to: _told(to, HEAD + b"X: " + b"y" * (1 << 20)),
        "not HTTP": lambda to: _told(to, b"\x16\x03\x01\x02\0\x01\0\r\n\r\n"),
        "left before the answer": lambda to: _left(to, picture),
    }


def slow(to: Address, count: int) -> list[socket.socket]:
    """Open connections that send the beginning of a head, or of a body, and then nothing more."""
    heads = (HEAD, HEAD + b"Content-Length: 100000\r\n\r\n\xff\xd8\xff")
    found = []
    for number in range(count):
        connection = socket.create_connection(to, timeout=_SECONDS)
        connection.sendall(heads[number % 2])
        found.append(connection)
    return found


def ended(connections: list[socket.socket]) -> dict[str, int]:
    """Return how the service ended connections, by kind; those still open after a minute are named so."""
    found: dict[str, int] = {}
    until = time.monotonic() + _SECONDS
    for connection in connections:
        connection.settimeout(max(0.1, until - time.monotonic()))
        word = _answer(connection)
        found[word] = found.get(word, 0) + 1
        connection.close()
    return found


def _posted(to: Address, body: bytes) -> str:
    return _told(to, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _told(to: Address, request: bytes) -> str:
    with socket.create_connection(to, timeout=_SECONDS) as connection:
        with suppress(ConnectionError):  # the service may have closed, with an answer that is still to be read
            connection.sendall(request)
        return _answer(connection)


def _endless(to: Address) -> str:
    with socket.create_connection(to, timeout=_SECONDS) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        until = time.monotonic() + _SECONDS
        with suppress(ConnectionError):
            while time.monotonic() < until:
                connection.sendall(_CHUNK)
            return "was read for a minute"
        return _answer(connection)


def _left(to: Address, picture: bytes) -> str:
    with socket.create_connection(to, timeout=_SECONDS) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(picture) + picture)
    return "left"


def _answer(connection: socket.socket) -> str:
    """Return the status of the answer, or `closed` if there is none."""
    try:
        line = connection.recv(1 << 16).split(b"\r\n")[0]
    except TimeoutError:
        return "open"
    except ConnectionError:
        return "closed"
    return line.split(b" ")[1].decode() if line else "closed"


def _bomb() -> bytes:
    """Return a PNG of 400 bytes and more that claims 1.6 billion pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(100_000))
    blocks = (struct.pack(">I", len(b) - 4) + b + struct.pack(">I", zlib.crc32(b)) for b in (head, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks)


def _scans() -> bytes:
    """Return a small progressive JPEG file with 5,000 scans over 33 million pixels."""
    import cv2
    import numpy as np

    side = 5700
    flat = np.full((side, side, 3), 110, np.uint8)
    data = cv2.imencode(".jpg", flat, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    return data[:-2] + 5000 * data[data.rindex(b"\xff\xda") : -2] + data[-2:]
