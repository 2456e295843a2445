"""Check before work starts that the store can do what the safety of its results depends on."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.s3_errors import answer, may_pass
from rfmeta_dist.storage.store import Store

_PROBE = ".rfmeta-probe-"  # starts the names of the objects that are created and deleted here
_REMEDY = (
    "use a store that honours 'If-None-Match: *', such as AWS S3, SeaweedFS, a current MinIO or Ceph, "
    "or a local folder"
)
_passed: set[tuple[str | None, str]] = set()


def require_put_if_absent(store: Store) -> None:
    """Test whether the store refuses to create an object twice; a process tests each place once.

    Manifests and runs' folders depend on it: of two processes one must win. Three requests, and the object they
    create is deleted.

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
        if isinstance(error, StorageError):  # the object's name would tell a user nothing
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
            raise  # the condition is not what was refused
        store.write(name, b"first")  # what refuses this too is not the condition, and says itself what it is
        raise StorageError(f"{where} and refuses requests with it ({error.problem})", _REMEDY) from error
    try:
        store.create(name, b"second")
    except AlreadyExistsError:
        return
    raise StorageError(f"{where} and overwrites: it created the same object twice", _REMEDY)
