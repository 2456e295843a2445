"""An HTTP proxy that makes a sound S3 server look ill, at given rates."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from rfmeta_dist.core.seeds import generator

_503 = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_403 = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_NEVER = 3600.0


@dataclass(frozen=True)
class Faults:
    """Which share of the requests suffers what.

    A request's fate depends on the seed, its line and how often it was sent before, not on what else happens.

    Attributes:
        unavailable: answered 503.
        forbidden: answered 403.
        reset: the connection is reset before an answer.
        cut: half of the answer's body comes, then the connection closes.
        short: a part of the body comes without its length or checksum, and then the end, as if that were all.
        stall: half of the body comes, and then nothing.
        drip: the body comes, one byte a tenth of a second.
        within: only requests whose path has this in it.
        spared: how many requests with that path pass first.
        times: how many of them may suffer after that.
    """

    unavailable: float = 0.0
    forbidden: float = 0.0
    reset: float = 0.0
    cut: float = 0.0
    short: float = 0.0
    stall: float = 0.0
    drip: float = 0.0
    within: str = ""
    spared: int = 0
    times: int = 1 << 30
    seed: int = 0

    def fate(self, line: str, attempt: int) -> str:
        """The fault that the `attempt`-th sending of a request suffers, or nothing."""
        draw = generator("fault", self.seed, line, attempt).random()
        for kind in ("unavailable", "forbidden", "reset", "cut", "short", "stall", "drip"):
            draw -= getattr(self, kind)
            if draw < 0:
                return kind
        return ""


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        endpoint: its URL.
        met: how many requests suffered each fault; "" for none.
        sent: bytes of bodies that reached the client, by the request's path.
    """

    endpoint: str = ""
    met: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)


@contextmanager
def proxy(endpoint: str, faults: Faults) -> Iterator[Proxy]:
    """Run a proxy before an endpoint while the context is open."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = Proxy()
    handler = _Handler(endpoint, faults, made)

    async def start() -> asyncio.Server:
        return await asyncio.start_server(handler.serve, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    made.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def stop() -> None:
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    try:
        yield made
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class _Handler:
    target: str
    faults: Faults
    report: Proxy
    seen: Counter[str] = field(default_factory=Counter)
    within: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            request = await _message(reader, writer)
            line = request.split(b"\r\n", 1)[0].decode()
            fate = self._fate(line)
            self.report.met[fate] += 1
            if fate in ("unavailable", "forbidden"):
                writer.write(_503 if fate == "unavailable" else _403)
                await writer.drain()
            elif fate == "reset":
                _reset(writer)
            else:
                await self._pass(request, line, fate, writer)
        writer.close()

    def _fate(self, line: str) -> str:
        if self.faults.within not in line:
            return ""
        self.within += 1
        self.seen[line] += 1
        suffering = self.within - self.faults.spared
        return self.faults.fate(line, self.seen[line]) if 0 < suffering <= self.faults.times else ""

    async def _pass(self, request: bytes, line: str, fate: str, writer: asyncio.StreamWriter) -> None:
        host, port = self.target.removeprefix("http://").split(":")
        try:
            above, below = await asyncio.open_connection(host, int(port))
        except OSError:  # the server is down: so is the proxy
            _reset(writer)
            return
        try:
            first, _, rest = request.partition(b"\r\n")
            below.write(first + b"\r\nConnection: close\r\n" + rest)
            await below.drain()
            head = await above.readuntil(b"\r\n\r\n")
            body = await above.read() if not line.startswith("HEAD") else b""
            await self._answer(head, body, line, fate, writer)
        finally:
            below.close()

    async def _answer(
        self, head: bytes, body: bytes, line: str, fate: str, writer: asyncio.StreamWriter
    ) -> None:
        part = body[: len(body) // 2] if fate in ("cut", "stall") else body
        if fate == "short":
            part = body[: int(len(body) * generator("short", self.faults.seed, line, self.seen[line]).random())]
            told = (b"content-length:", b"x-amz-checksum", b"etag:")
            kept = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(told)]
            head = b"\r\n".join(kept) + b"\r\n\r\n"
        writer.write(head)
        for piece in [part[i : i + 1] for i in range(len(part))] if fate == "drip" else [part]:
            writer.write(piece)
            await writer.drain()
            self.report.sent[line.split()[1]] += len(piece)
            await asyncio.sleep(0.1 * (fate == "drip"))
        if fate == "stall":
            await asyncio.sleep(_NEVER)


async def _message(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """A request, whole, without what asks to keep the connection or to wait for a go-ahead."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head[:-4].split(b"\r\n")
    fields = {line.split(b":")[0].lower(): line.split(b":", 1)[1].strip() for line in lines[1:]}
    if b"expect" in fields:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    kept = [line for line in lines if line.split(b":")[0].lower() not in (b"connection", b"expect")]
    return b"\r\n".join(kept) + b"\r\n\r\n" + body


def _reset(writer: asyncio.StreamWriter) -> None:
    found: socket.socket = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
