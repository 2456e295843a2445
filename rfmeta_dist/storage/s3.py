"""A prefix of an S3 bucket as an object store; its one retry loop is patient, but not without end."""

from __future__ import annotations

import functools
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.conditional import get_tagged, put_if_match
from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.store import checked

T = TypeVar("T")

_CONNECT_S, _READ_S = 3, 20  # read: between two pieces of an answer, not for all of it
_PASSING = ("SlowDown", "RequestTimeout", "ConditionalRequestConflict")
_BUCKET_EXISTS = ("BucketAlreadyExists", "BucketAlreadyOwnedByYou")


_count: ContextVar[Callable[[], None] | None] = ContextVar("count", default=None)


@dataclass(frozen=True)
class Patience:
    """How long to try before a fault that may pass counts as one that stays.

    The layers below try once, lest waiting times multiply: botocore's own 8 attempts took 43 s to
    report a wrong endpoint (measured), times ours.

    Attributes:
        tries: of one request; 7 wait 13–25 s in all, the restart of a server.
        deadline: seconds for all tries of one request and the waiting between them.
    """

    tries: int = 7
    deadline: float = 120.0


@dataclass(frozen=True)
class S3Store:
    """Objects below `s3://bucket/prefix`. Holds no client: a process opens its own."""

    url: str
    patience: Patience = Patience()

    def read(self, name: str) -> bytes:
        """The whole object in one GET. Raises `MissingError` if there is none."""
        path = self._path(name)
        data: bytes = self._do(path, lambda fs, limit: fs.cat_file(path, timeout=limit))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put the object; S3 shows it only when it is whole."""
        path = self._path(name)
        self._do(path, lambda fs, limit: fs.pipe_file(path, data, timeout=limit))

    def create(self, name: str, data: bytes) -> None:
        """Put the object if there is none (`If-None-Match: *`), else raise `AlreadyExistsError`."""
        path = self._path(name)
        tries = 0

        def put(fs: Any, limit: float) -> None:
            nonlocal tries
            tries += 1
            fs.pipe_file(path, data, mode="create", timeout=limit)

        try:
            self._do(path, put)
        except AlreadyExistsError:
            # The answer to an earlier try may have been lost after the server stored our object.
            if tries == 1 or self.read(name) != data:
                raise

    def read_tagged(self, name: str) -> tuple[bytes, str]:
        """The whole object and its ETag. Raises `MissingError` if there is none."""
        return self._do(path := self._path(name), lambda fs, limit: get_tagged(fs, path, limit))

    def replace(self, name: str, data: bytes, tag: str) -> str:
        """Put the object if it has this ETag (`If-Match`); see `Store`."""
        path = self._path(name)
        tries = 0

        def put(fs: Any, limit: float) -> str:
            nonlocal tries
            tries += 1
            return put_if_match(fs, path, data, tag, limit)

        with suppress(AlreadyExistsError, MissingError):
            if _knows_if_match(self, os.getpid(), os.environ.get("AWS_ENDPOINT_URL")):
                return self._do(path, put)
            if self.read_tagged(name)[1] == tag:  # without `If-Match` two at once may both succeed
                self.write(name, data)
                return self.read_tagged(name)[1]
        # As in `create`, the answer to an earlier try may have been lost.
        if tries > 1 and self.exists(name) and (now := self.read_tagged(name))[0] == data:
            return now[1]
        raise ChangedError(f"{self.url}/{name} has been changed by another writer", "read it again")

    def exists(self, name: str) -> bool:
        """Whether there is an object of this name."""
        try:
            self._head(name)
        except MissingError:
            return False
        return True

    def written(self, name: str) -> float:
        """When the object was last written, in seconds since 1970 by the server's clock."""
        modified: float = self._head(name)["LastModified"].timestamp()
        return modified

    def list(self, prefix: str = "") -> list[str]:
        """The sorted names of all objects below the folder `prefix`."""
        root = self.url.removeprefix("s3://")
        top = self._path(prefix) if prefix else root
        found = self._do(top, lambda fs, limit: fs.find(top, timeout=limit))
        return sorted(path.removeprefix(f"{root}/") for path in found)

    def delete(self, name: str) -> None:
        """Remove the object if it is there."""
        path = self._path(name)
        self._do(path, lambda fs, limit: fs.rm_file(path, timeout=limit))

    def sub(self, name: str) -> S3Store:
        """The store below the prefix `name`."""
        return S3Store(f"{self.url}/{checked(name)}", self.patience)

    def _head(self, name: str) -> Any:
        path = self._path(name)
        bucket, _, key = path.partition("/")
        return self._do(
            path, lambda fs, limit: fs.call_s3("head_object", Bucket=bucket, Key=key, timeout=limit)
        )

    def _path(self, name: str) -> str:
        return f"{self.url.removeprefix('s3://')}/{checked(name)}"

    def _do(self, path: str, request: Callable[[Any, float], T]) -> T:
        """Send a request, again if the fault may pass, and explain the fault that stays.

        Args:
            path: bucket and key, for errors.
            request: takes the client, and the seconds it may last.
        """
        end = time.monotonic() + self.patience.deadline
        for attempt in range(self.patience.tries):
            try:
                return request(_filesystem(), end - time.monotonic())
            except _faults() as error:
                pause = 0.2 * 2**attempt * (1 + random.random())
                late = time.monotonic() + pause >= end
                if late or attempt + 1 == self.patience.tries or not _may_pass(error):
                    raise _explained(path, error) from error
            if count := _count.get():
                count()
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")


@functools.lru_cache(maxsize=8)
def _knows_if_match(store: S3Store, _pid: int, _endpoint: str | None) -> bool:
    """Try, with an object of our own, whether the server refuses a put whose `If-Match` does not hold."""
    name = f"if-match-{os.getpid()}-{random.getrandbits(64):016x}"
    store.write(name, b"")
    try:
        store._do(p := store._path(name), lambda fs, limit: put_if_match(fs, p, b"", '"no such tag"', limit))
    except AlreadyExistsError:
        return True
    except StorageError as error:
        if _status(error.__cause__ or error)[0] not in (400, 501):
            raise
    finally:
        store.delete(name)
    return False


@contextmanager
def retries_counted(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` for each request that this thread sends again while the context is open."""
    token = _count.set(count)
    try:
        yield
    finally:
        _count.reset(token)


def _filesystem() -> Any:
    # A client must not cross a fork, and must not outlive a change of endpoint or credentials.
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return _connect(os.getpid(), *(os.environ.get(name) for name in names))


@functools.lru_cache(maxsize=8)
def _connect(_pid: int, endpoint: str | None, *_credentials: str | None) -> Any:
    import s3fs

    fs = s3fs.S3FileSystem(
        config_kwargs={
            "retries": {"mode": "standard", "total_max_attempts": 1},
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            # Servers other than AWS rarely have a DNS name per bucket.
            "s3": {"addressing_style": "path" if endpoint else "auto"},
        },
        max_concurrency=1,  # otherwise every read sends a HEAD first
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    fs.retries = 1
    return fs


def _transport_faults() -> tuple[type[Exception], ...]:
    from aiohttp import ClientError as TransferError
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import FlexibleChecksumError, HTTPClientError
    from botocore.parsers import ResponseParserError

    broken = (TransferError, HTTPClientError, FlexibleChecksumError, ResponseParserError)
    return (*broken, NoConnection, TimeoutError, ConnectionError)


def _faults() -> tuple[type[Exception], ...]:
    """All that s3fs raises for reasons outside this program; ValueError is a malformed endpoint."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (*_transport_faults(), BotoCoreError, ClientError, OSError, ValueError)


def _status(error: BaseException) -> tuple[int, str]:
    """HTTP status and S3 error code, of s3fs's translated errors too; (0, "") without an answer."""
    response = getattr(error, "response", None) or getattr(error.__cause__, "response", None)
    if not isinstance(response, dict):
        return 0, ""
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status, str(response.get("Error", {}).get("Code", ""))


def _may_pass(error: BaseException) -> bool:
    status, code = _status(error)
    if status:
        return (status >= 500 and status != 501) or status == 429 or code in _PASSING
    return isinstance(error, _transport_faults())


def _explained(path: str, error: BaseException) -> StorageError:
    url, (status, code) = f"s3://{path}", _status(error)
    if status in (401, 403):
        return AccessError(
            f"{url}: access denied ({code})",
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they may do there",
        )
    if status == 404:
        missing = f"the bucket of {url}" if code == "NoSuchBucket" else url
        return MissingError(f"{missing} does not exist", "check the name and AWS_ENDPOINT_URL")
    if status == 412:
        return AlreadyExistsError(f"{url} exists already", "choose another name")
    if status:
        return StorageError(f"{url}: the server answered {status} {code}", "see the server's log")
    return _unanswered(url, error)


def _unanswered(url: str, error: BaseException) -> StorageError:
    from botocore.exceptions import NoCredentialsError, PartialCredentialsError

    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return AccessError(f"{url}: no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
    if isinstance(error, TimeoutError):
        return StorageError(
            f"{url}: {endpoint} did not answer in full within the time allowed",
            "check the network and the server's load",
        )
    return StorageError(
        f"{url} cannot be reached at {endpoint} ({type(error).__name__}: {error})",
        "check AWS_ENDPOINT_URL and that the server is up",
    )


def make_bucket(name: str) -> None:
    """Create a bucket unless it exists.

    Raises:
        StorageError: the server cannot be reached or refused the name.
    """
    try:
        S3Store(f"s3://{name}")._do(
            name, lambda fs, limit: fs.call_s3("create_bucket", Bucket=name, timeout=limit)
        )
    except StorageError as error:
        if _status(error.__cause__ or error)[1] not in _BUCKET_EXISTS:
            raise
