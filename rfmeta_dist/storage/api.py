"""Define the interface of an object store."""

from __future__ import annotations

from typing import Protocol

from rfmeta_dist.core.errors import StorageError


class Store(Protocol):
    """Reads and writes whole objects under a URL. It holds no credentials, so other processes may get it.

    Names are relative to the URL, with parts separated by `/`. Every method may raise a `StorageError` (see
    storage/errors.py for its kinds), which names the object and a remedy.
    """

    @property
    def url(self) -> str:
        """Return the URL or path of the store, without a trailing slash and without credentials."""
        ...

    def read(self, name: str) -> bytes:
        """Return the whole object. Raises `MissingError` if it does not exist."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object. A reader sees either the old or the new object, never a part of it."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Create an object. If several writers try, one succeeds and the others get `AlreadyExistsError`."""
        ...

    def read_tagged(self, name: str) -> tuple[bytes, str]:
        """Return the whole object and its tag, for `replace`. Raises `MissingError` if it does not exist."""
        ...

    def replace(self, name: str, data: bytes, tag: str) -> str:
        """Replace an object if it still has this tag. If several writers try, only one succeeds.

        Args:
            name: name of an object that exists.
            data: new content.
            tag: tag from `read_tagged`, or from the last `replace`.

        Returns:
            The new tag. Different contents have different tags.

        Raises:
            ChangedError: another writer has changed or deleted the object.
        """
        ...

    def exists(self, name: str) -> bool:
        """Return True if there is an object of this name."""
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the sorted names of all objects below the folder `prefix`; empty if it does not exist."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object. It is no error if the object does not exist."""
        ...

    def sub(self, name: str) -> Store:
        """Return the store below the folder `name`."""
        ...


def checked(name: str) -> str:
    """Return the name after checking that it stays below its store.

    Names also come from manifests, which anyone with write access to the bucket can change.

    Raises:
        StorageError: the name is empty or absolute, or leads out of the store.
    """
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        raise StorageError(
            f"'{name}' is not a valid object name", "use a relative name without '..', such as train/000.tar"
        )
    return name
