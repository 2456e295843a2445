"""A proxy that lets a real server look ill."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

_503 = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def faulty() -> Iterator[Callable[..., str]]:
    """Make a proxy before an endpoint whose first connections suffer a fault; returns its endpoint.

    Faults: `503` is answered, `reset` closes at once, `cut` breaks the server's answer off.
    """
    listeners: list[socket.socket] = []

    def make(endpoint: str, fault: str, *, times: int) -> str:
        host, port = endpoint.removeprefix("http://").split(":")
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            count = 0
            with suppress(OSError):  # the listener was closed
                while True:
                    client, _ = listener.accept()
                    ill = fault if count < times else ""
                    count += 1
                    target = (host, int(port))
                    threading.Thread(target=_pass, args=(client, target, ill), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield make
    for listener in listeners:
        listener.close()


def _pass(client: socket.socket, target: tuple[str, int], fault: str) -> None:
    with client, suppress(OSError):
        if fault == "503":
            client.recv(1 << 16)
            client.sendall(_503)
        if fault in ("503", "reset"):
            return
        with socket.create_connection(target) as server:
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            if fault == "cut":
                client.sendall(server.recv(1 << 16)[:20])
            else:
                _copy(server, client)
            client.shutdown(socket.SHUT_RDWR)  # wakes the other thread, as closing would not


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
