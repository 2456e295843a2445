"""The interface of an object store for the rest of the project."""

from __future__ import annotations

from typing import Protocol

from rfmeta_dist.core.errors import StorageError


class Store(Protocol):
    """Whole objects under a URL. Safe to send to another process: it carries no credentials.

    Names are relative to the URL, separated by `/`. Every method raises `StorageError` (see
    storage/errors.py for its kinds), naming the object and what to do about it.
    """

    @property
    def url(self) -> str:
        """Where the store is, without a trailing slash and never with credentials."""
        ...

    def read(self, name: str) -> bytes:
        """Return the whole object. Raises `MissingError` if there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object; a reader sees the old or the new one, never a part."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Create an object; of several writers one wins and the others get `AlreadyExistsError`."""
        ...

    def read_tagged(self, name: str) -> tuple[bytes, str]:
        """Return the whole object and its tag, for `replace`. Raises `MissingError` if there is none."""
        ...

    def replace(self, name: str, data: bytes, tag: str) -> str:
        """Replace an object that still has this tag; of several writers one wins.

        Args:
            name: of an object that exists.
            data: its new content.
            tag: from `read_tagged`, or from the last `replace`.

        Returns:
            The new tag. The tag of another content is another one.

        Raises:
            ChangedError: the object has another content by now, or was deleted.
        """
        ...

    def exists(self, name: str) -> bool:
        """Return True if there is an object of this name."""
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the sorted names of all objects below the folder `prefix`; none if it does not exist."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def sub(self, name: str) -> Store:
        """Return the store below the folder `name`."""
        ...


def checked(name: str) -> str:
    """Return the name, after checking that it stays below its store.

    Names also come from manifests, which anyone who can write to a bucket can write.

    Raises:
        StorageError: the name is empty, absolute or climbs out of the store.
    """
    if any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        raise StorageError(f"'{name}' is not a valid object name", "use relative names such as train/000.tar")
    return name
