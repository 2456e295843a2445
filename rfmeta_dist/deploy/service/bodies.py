"""Read the bodies of requests within limits of size, time and memory, and check that they are pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rfmeta_dist.deploy.service.limits import BODY_S, MAX_PIXELS
from rfmeta_dist.deploy.service.refusal import Refusal, busy
from rfmeta_dist.ingest.still import HEAD, SizeError, is_still, still_size

if TYPE_CHECKING:
    from starlette.requests import Request

    from rfmeta_dist.deploy.service.limits import Limits

_SEND = "send the bytes of one JPEG, PNG, BMP or WebP picture as the body"


class Bodies:
    """Reads bodies, and counts the bytes of those that are not answered yet.

    Args:
        limits: largest body, and most bytes of all of them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self._held = limits, 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Yield the picture in the body of a request. Its bytes are counted until the context ends.

        Raises:
            Refusal: the body is too large, too slow, empty or not a picture, or all bodies together are too
                large.
            ClientDisconnect: the client has closed the connection.
        """
        self._require_declared(request)
        # A list of pieces would take far more memory than one array if a client sends single bytes.
        data, picture = bytearray(), b""
        try:
            try:
                async with asyncio.timeout(BODY_S):
                    await self._fill(data, request)
            except TimeoutError:
                why = f"the body did not arrive within {BODY_S:.0f} seconds"
                raise Refusal(408, why, "send it faster, or send a smaller picture") from None
            picture, data = bytes(data), bytearray()  # not both are kept while the picture is scored
            _require_picture(picture)
            yield picture
        finally:
            self._held -= len(data) or len(picture)

    def _require_declared(self, request: Request) -> None:
        """Refuse what can be refused before the body is read."""
        if request.headers.get("content-type", "").startswith("multipart/"):
            raise Refusal(415, "the body is a form with several parts", f"{_SEND}, without a form around it")
        declared = int(request.headers.get("content-length", "0"))  # h11 has checked that it is a number
        # Most clients read an answer only after they have sent all. A body that is a little too large is
        # therefore read to its end, so that its sender learns why it is refused.
        waits = "expect" in request.headers
        if declared > self._limits.body * (1 if waits else 2):
            raise self._too_large()

    async def _fill(self, data: bytearray, request: Request) -> None:
        most, seen = self._limits.body, 0
        async for piece in request.stream():
            seen += len(piece)
            if seen > 2 * most:
                break
            if seen > most:
                continue
            if self._held + len(piece) > self._limits.held:
                raise busy()
            self._held += len(piece)
            data += piece
        if seen > most:
            raise self._too_large()

    def _too_large(self) -> Refusal:
        most = self._limits.body >> 20
        return Refusal(
            413, f"the body has more than {most} MiB", "send a smaller picture, or start with --max-body"
        )


def _require_picture(data: bytes) -> None:
    """Raise a Refusal unless the header of a picture says that it can be decoded within the limits."""
    if not data:
        raise Refusal(400, "the body is empty", _SEND)
    try:
        if not is_still(data[:HEAD]):
            raise Refusal(415, "by its content, the body is not a picture of a supported format", _SEND)
    except ValueError as error:
        raise Refusal(415, f"the body is no picture that can be scored: {error}", _SEND) from error
    try:
        still_size(data, MAX_PIXELS)
    except SizeError as error:
        raise Refusal(
            413, f"the picture is too large: {error}", "scale it down; a face needs few pixels"
        ) from error
    except ValueError as error:
        raise damaged(str(error)) from error


def damaged(why: str) -> Refusal:
    """Return the error for a picture that cannot be decoded."""
    return Refusal(422, f"the picture cannot be read: {why}", "send a picture that other programs can open")
