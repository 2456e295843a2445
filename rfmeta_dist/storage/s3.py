"""Use a prefix of an S3 bucket as an object store. Requests that fail for a passing reason are sent again."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.api import checked
from rfmeta_dist.storage.conditional import get_tagged, put_if_match
from rfmeta_dist.storage.errors import AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.s3_client import address
from rfmeta_dist.storage.s3_client import filesystem as _filesystem
from rfmeta_dist.storage.s3_errors import answer, explained, faults, may_pass

T = TypeVar("T")

_BUCKET_EXISTS = ("BucketAlreadyExists", "BucketAlreadyOwnedByYou")

_count: ContextVar[Callable[[], None] | None] = ContextVar("count", default=None)


@dataclass(frozen=True)
class Patience:
    """How often and how long a request is tried before its error is reported.

    botocore and s3fs are set to try only once, because the waiting times would multiply: botocore's 8 attempts
    alone took 43 s to report a wrong endpoint (measured).

    Attributes:
        tries: number of tries of one request. With 7, the pauses add up to 13–25 s: a server can restart.
        deadline: seconds for all tries of one request and the pauses between them.
    """

    tries: int = 7
    deadline: float = 120.0


@dataclass(frozen=True)
class S3Store:
    """An object store at `s3://bucket/prefix`. It holds no client, because each process needs its own."""

    url: str
    patience: Patience = Patience()

    def read(self, name: str) -> bytes:
        """Return the whole object with one GET. Raises `MissingError` if it does not exist."""
        path = self._path(name)
        data: bytes = self._do(path, lambda fs, limit: fs.cat_file(path, timeout=limit))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put the object. S3 shows an object only when it is complete."""
        path = self._path(name)
        self._do(path, lambda fs, limit: fs.pipe_file(path, data, timeout=limit))

    def create(self, name: str, data: bytes) -> None:
        """Put the object if it does not exist (`If-None-Match: *`); otherwise raise `AlreadyExistsError`."""
        path = self._path(name)
        tries = 0

        def put(fs: Any, limit: float) -> None:
            nonlocal tries
            tries += 1
            fs.pipe_file(path, data, mode="create", timeout=limit)

        try:
            self._do(path, put)
        except AlreadyExistsError:
            # An earlier try may have stored the object although its answer was lost. Compare the content.
            if tries == 1 or self.read(name) != data:
                raise

    def read_tagged(self, name: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag. Raises `MissingError` if it does not exist."""
        return self._do(path := self._path(name), lambda fs, limit: get_tagged(fs, path, limit))

    def replace(self, name: str, data: bytes, tag: str) -> str:
        """Put the object if it still has this ETag (`If-Match`); see `Store`."""
        path = self._path(name)
        tries = 0

        def put(fs: Any, limit: float) -> str:
            nonlocal tries
            tries += 1
            return put_if_match(fs, path, data, tag, limit)

        with suppress(AlreadyExistsError, MissingError):
            if _knows_if_match(self, os.getpid(), os.environ.get("AWS_ENDPOINT_URL")):
                return self._do(path, put)
            if self.read_tagged(name)[1] == tag:  # without `If-Match`, two writers may both succeed
                self.write(name, data)
                return self.read_tagged(name)[1]
        # As in `create`, the answer to an earlier try may have been lost.
        if tries > 1 and self.exists(name) and (now := self.read_tagged(name))[0] == data:
            return now[1]
        raise ChangedError(f"{self.url}/{name} has been changed by another writer", "give the command again")

    def exists(self, name: str) -> bool:
        """Return True if there is an object with this name."""
        try:
            self._head(name)
        except MissingError:
            return False
        return True

    def written(self, name: str) -> float:
        """Return when the object was last written, in seconds since 1970 by the server's clock."""
        modified: float = self._head(name)["LastModified"].timestamp()
        return modified

    def list(self, prefix: str = "") -> list[str]:
        """Return the sorted names of all objects below the folder `prefix`.

        Empty objects `name/`, which web consoles create to show a folder, are left out.
        """
        top = self._path(prefix) if prefix else self.url.removeprefix("s3://")
        root = self.url.removeprefix("s3://").partition("/")[2]
        keys = self._keys(top)
        return sorted(key.removeprefix(f"{root}/" if root else "") for key in keys if not key.endswith("/"))

    def _keys(self, top: str) -> Iterator[str]:
        """Yield the keys of all objects below `top`, which is a bucket and a folder."""
        bucket, _, folder = top.partition("/")
        query = {"Bucket": bucket, "Prefix": f"{folder}/" if folder else ""}
        while True:
            page = self._do(top, partial(_page, query))
            yield from (found["Key"] for found in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            token = page.get("NextContinuationToken")
            if token in (None, query.get("ContinuationToken")):
                raise StorageError(
                    f"s3://{top}: the store returned a part of its listing, and no token to request the rest",
                    "use a store that supports ListObjectsV2, as AWS S3, MinIO, SeaweedFS and Ceph do",
                )
            query["ContinuationToken"] = token

    def delete(self, name: str) -> None:
        """Delete the object if it exists."""
        path = self._path(name)
        self._do(path, lambda fs, limit: fs.rm_file(path, timeout=limit))

    def sub(self, name: str) -> S3Store:
        """Return the store below the prefix `name`."""
        return S3Store(f"{self.url}/{checked(name)}", self.patience)

    def _head(self, name: str) -> Any:
        path = self._path(name)
        bucket, _, key = path.partition("/")
        try:
            return self._do(
                path, lambda fs, limit: fs.call_s3("head_object", Bucket=bucket, Key=key, timeout=limit)
            )
        except MissingError:
            raise
        except StorageError as error:
            # The answer to HEAD has no body with a reason. Send a GET, whose answer has one.
            if answer(error).code.isdigit():
                self._do(path, lambda fs, limit: fs.cat_file(path, start=0, end=1, timeout=limit))
            raise

    def _path(self, name: str) -> str:
        return f"{self.url.removeprefix('s3://')}/{checked(name)}"

    def _do(self, path: str, request: Callable[[Any, float], T]) -> T:
        """Send a request and return its result. Send it again if it fails for a reason that may pass.

        Args:
            path: bucket and key, used in errors.
            request: function of the client and of the seconds that the request may last.

        Raises:
            StorageError: the request failed for a lasting reason, or too often.
        """
        end = time.monotonic() + self.patience.deadline
        answered: StorageError | None = None
        for attempt in range(self.patience.tries):
            try:
                return request(_filesystem(), end - time.monotonic())
            except faults() as error:
                found = explained(path, error, address())
                answered = found if answer(error).status else answered
                pause = 0.2 * 2**attempt * (1 + random.random())
                late = time.monotonic() + pause >= end
                if late or attempt + 1 == self.patience.tries or not may_pass(error):
                    # If the deadline ends the last try, report what the server answered to an earlier one.
                    raise (answered if answered and isinstance(error, TimeoutError) else found) from error
            if count := _count.get():
                count()
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")


@lru_cache(maxsize=8)
def _knows_if_match(store: S3Store, _pid: int, _endpoint: str | None) -> bool:
    """Test with an object of our own whether the server refuses a put with a wrong `If-Match`."""
    name = f"if-match-{os.getpid()}-{random.getrandbits(64):016x}"
    store.write(name, b"")
    try:
        store._do(p := store._path(name), lambda fs, limit: put_if_match(fs, p, b"", '"no such tag"', limit))
    except AlreadyExistsError:
        return True
    except StorageError as error:
        if answer(error.__cause__ or error).status not in (400, 501):
            raise
    finally:
        store.delete(name)
    return False


@contextmanager
def retries_counted(count: Callable[[], None]) -> Iterator[None]:
    """Call `count` each time that this thread sends a request again, while the context is open."""
    token = _count.set(count)
    try:
        yield
    finally:
        _count.reset(token)


def _page(query: dict[str, str], fs: Any, limit: float) -> Any:
    return fs.call_s3("list_objects_v2", **query, timeout=limit)


def make_bucket(name: str) -> None:
    """Create a bucket if it does not exist.

    Raises:
        StorageError: the server cannot be reached or refused the name.
    """
    try:
        S3Store(f"s3://{name}")._do(
            name, lambda fs, limit: fs.call_s3("create_bucket", Bucket=name, timeout=limit)
        )
    except StorageError as error:
        if answer(error).code not in _BUCKET_EXISTS:
            raise
