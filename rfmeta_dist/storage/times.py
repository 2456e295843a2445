"""Find out when an object was written, by its store's own clock."""

from __future__ import annotations

from pathlib import Path

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.storage.api import Store, checked
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.s3 import S3Store


def written(store: Store, name: str) -> float:
    """Return when an object was written, in seconds since 1970. Compare it only within the same store.

    Raises:
        MissingError: there is no such object.
        StorageError: the store cannot be read, or does not keep times.
    """
    if isinstance(store, S3Store):
        return store.written(name)
    path = Path(store.url) / checked(name)
    try:
        return path.stat().st_mtime
    except FileNotFoundError as error:
        raise MissingError(
            f"{path} does not exist", "check the spelling and the folder that the path begins in"
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}", "check the path and the disk") from error
