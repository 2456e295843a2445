"""Listen for HTTP requests until a signal ends the service. Slow or too many connections are cut."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.deploy.service.limits import ARRIVAL_S, CONNECTIONS, END_S, HEAD_BYTES, IDLE_S

if TYPE_CHECKING:
    from starlette.applications import Starlette

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BACKLOG = 128
_INCOMPLETE = (h11.IDLE, h11.SEND_BODY)  # states of a client whose request has not arrived as a whole


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: address or name of this machine.
        port: 0 for any free one.

    Raises:
        ConfigError: the port is in use or not allowed, or the host is not this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error


def is_local(listener: socket.socket) -> bool:
    """Return True if only this machine can reach a socket."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def url(listener: socket.socket) -> str:
    """Return the address of a socket as clients write it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Starlette, listener: socket.socket, started: Callable[[], None]) -> int:
    """Serve until SIGINT or SIGTERM arrives, then finish the requests in work.

    A second SIGINT ends the service without waiting for them.

    Args:
        app: what answers the requests.
        listener: a socket that listens. It is closed at the end.
        started: called as soon as requests are answered and signals end the service in order.

    Returns:
        The number of requests that were answered.
    """
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # uvicorn would write a line for each request that is not HTTP
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=END_S,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
    server = _Server(config, started)
    asyncio.run(server.serve(sockets=[listener]))
    return server.server_state.total_requests


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the service on a signal.

        Unlike uvicorn's own method, this one does not raise the signal again at the end. The service has then
        done what it was asked to do, so the exit code is 0.
        """
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Connection(H11Protocol):
    """A connection that is cut if a request does not arrive in time. uvicorn itself would wait forever."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
        else:
            self._expect_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        """Set the deadline if a request is awaited or incomplete; remove it if the request is complete."""
        if self.transport.is_closing() or self.conn.their_state not in _INCOMPLETE:
            self._forget_deadline()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(ARRIVAL_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return ConfigError(
            f"{host} is not an address of this machine ({error.strerror})",
            "give --host 127.0.0.1 for this machine alone, or 0.0.0.0 for all its networks",
        )
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} of {host} is in use by another program",
            "give another one with --port, or end that program",
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"this user may not listen on port {port}", "give --port with a number above 1023")
    return ConfigError(
        f"port {port} of {host} cannot be used: {error.strerror}", "give another one with --port"
    )
