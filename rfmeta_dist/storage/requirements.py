"""Check before work starts that a store supports put-if-absent, which protects results from a second writer."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.s3_errors import answer, may_pass
from rfmeta_dist.storage.store import Store

_PROBE = ".rfmeta-probe-"  # begins the names of the objects that are created and deleted for the test
_REMEDY = (
    "use a store that honours 'If-None-Match: *', such as AWS S3, SeaweedFS, a current MinIO or Ceph, "
    "or a local folder"
)
_passed: set[tuple[str | None, str]] = set()


def require_put_if_absent(store: Store) -> None:
    """Test that the store refuses to create an object that exists. A process tests each store only once.

    If two processes publish a manifest or start a run at the same time, one of them must fail, which needs
    put-if-absent. The test sends three requests, and deletes the object that it creates.

    Raises:
        StorageError: the store lacks put-if-absent, or cannot be written at all.
    """
    place = (os.environ.get("AWS_ENDPOINT_URL"), store.url)
    if place in _passed:
        return
    name = f"{_PROBE}{secrets.token_hex(8)}"
    try:
        _create_twice(store, name)
    except BaseException as error:
        with suppress(StorageError):
            store.delete(name)
        if isinstance(error, StorageError):  # leave out the test object's name, which means nothing to the user
            raise type(error)(error.problem.replace(f"/{name}", ""), error.remedy) from error
        raise
    store.delete(name)
    _passed.add(place)


def _create_twice(store: Store, name: str) -> None:
    where = f"{store.url}: the store lacks put-if-absent (If-None-Match)"
    try:
        store.create(name, b"first")
    except StorageError as error:
        if isinstance(error, MissingError) or not answer(error).status or may_pass(error):
            raise  # the request failed for another reason than its condition
        store.write(name, b"first")  # raises its own error if the condition is not what was refused
        raise StorageError(f"{where}: it refuses such requests ({error.problem})", _REMEDY) from error
    try:
        store.create(name, b"second")
    except AlreadyExistsError:
        return
    raise StorageError(
        f"{where}: it overwrites an object that exists, so two processes could destroy each other's results",
        _REMEDY,
    )
