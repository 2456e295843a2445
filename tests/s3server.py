"""An S3 server in memory that can lack, or refuse, what some S3-compatible services do; on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Request:
    """What a client sent; `host` is the one it wants to reach, also if it came as to a web proxy."""

    method: str
    host: str
    bucket: str
    key: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer. With a code, the body is S3's error with that code and message."""

    status: int
    code: str = ""
    message: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if not self.code:
            return self.body
        text = f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message></Error>"
        return text.encode()


@dataclass
class Server:
    """A running server.

    Attributes:
        endpoint: its URL.
        refuse: called with each request; what it returns is answered, None for an honest answer.
        domain: hosts below it have a bucket as their first label; other hosts take path-style requests.
        conditional: whether If-None-Match is obeyed.
        page: names in one page of a listing.
        objects: content by bucket/key.
        requests: all that came.
    """

    endpoint: str = ""
    refuse: Callable[[Request], Reply | None] = lambda _: None
    domain: str = "store.example"
    conditional: bool = True
    page: int = 1000
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def reset(self) -> None:
        """Forget all objects, requests and refusals."""
        self.refuse, self.conditional = (lambda _: None), True
        self.objects.clear()
        self.requests.clear()

    def count(self, method: str) -> int:
        return sum(request.method == method for request in self.requests)

    def answer(self, request: Request, query: Mapping[str, list[str]], body: bytes) -> Reply:
        self.requests.append(request)
        refusal = self.refuse(request)
        if refusal is not None:
            return refusal
        if request.method in ("GET", "HEAD"):
            return self._read(request) if request.key else self._listing(request.bucket, query)
        path = f"{request.bucket}/{request.key}"
        if request.method == "DELETE":
            self.objects.pop(path, None)
        elif self.conditional and "if-none-match" in request.headers and path in self.objects:
            return Reply(412, "PreconditionFailed", "the object exists")
        else:
            self.objects[path] = body
        return Reply(200)

    def _read(self, request: Request) -> Reply:
        path = f"{request.bucket}/{request.key}"
        if path not in self.objects:
            return Reply(404, "NoSuchKey", "there is none")
        stamp = {"Last-Modified": format_datetime(datetime.now(UTC), usegmt=True)}
        return Reply(200, body=self.objects[path], headers=stamp)

    def _listing(self, bucket: str, query: Mapping[str, list[str]]) -> Reply:
        prefix = query.get("prefix", [""])[0]
        after = query.get("continuation-token", [""])[0]
        keys = sorted(path.removeprefix(f"{bucket}/") for path in self.objects if path.startswith(f"{bucket}/"))
        rest = [key for key in keys if key.startswith(prefix) and key > after]
        shown = rest[: self.page]
        items = "".join(f"<Contents><Key>{escape(k)}</Key><Size>0</Size></Contents>" for k in shown)
        more = (
            f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>"
            if len(rest) > len(shown)
            else ""
        )
        whole = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{more}{items}"
        return Reply(200, body=f"<ListBucketResult>{whole}</ListBucketResult>".encode())


@contextmanager
def serving(**settings: object) -> Iterator[Server]:
    """Run a server while the context is open; the settings are attributes of `Server`."""
    server = Server(**settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            target = urlsplit(self.path)
            host = (target.netloc or self.headers["Host"]).partition(":")[0]
            path = unquote(target.path).lstrip("/")
            if host.endswith(f".{server.domain}"):
                path = f"{host.removesuffix(f'.{server.domain}')}/{path}"
            bucket, _, key = path.partition("/")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, host, bucket, key, headers)
            reply = server.answer(request, parse_qs(target.query), body)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.content)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.endpoint = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(10)
