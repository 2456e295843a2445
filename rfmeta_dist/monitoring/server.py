"""Answer Prometheus over HTTP with the figures of an exporter, which a thread renews."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.periodic import periodically
from rfmeta_dist.monitoring.exporter import Exporter

EVERY_S = 30.0  # seconds between two looks at the store; Prometheus may ask more often
REQUEST_S = 10.0  # seconds for a request to arrive
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Answers `GET /metrics`.

    Args:
        host: address of this machine to listen on.
        port: 0 for any free one.
        exporter: what it shows.

    Raises:
        ConfigError: the address is not of this machine, or the port is in use or not allowed.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, exporter: Exporter) -> None:
        self.exporter = exporter
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Answer)
        except OSError as error:
            raise ConfigError(
                f"cannot listen on port {port} of {host}: {error.strerror or error}",
                "give another address with --serve, such as --serve 127.0.0.1:9464",
            ) from error

    @property
    def url(self) -> str:
        """Return the address that Prometheus reads."""
        host, port = self.server_address[:2]
        return f"http://[{host!s}]:{port}/metrics" if ":" in str(host) else f"http://{host!s}:{port}/metrics"

    @contextmanager
    def renewed(self, every_s: float = EVERY_S) -> Iterator[None]:
        """Read the store now, and every `every_s` seconds while the context is open."""
        self.exporter.refresh()
        with periodically(every_s, self.exporter.refresh):
            yield

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing if a client closes its connection too early."""


class _Answer(BaseHTTPRequestHandler):
    timeout = REQUEST_S
    server: Server

    def do_GET(self) -> None:
        found = self.path.partition("?")[0] == "/metrics"
        body = (self.server.exporter.text if found else "the figures are at /metrics\n").encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing: Prometheus asks several times a minute."""
