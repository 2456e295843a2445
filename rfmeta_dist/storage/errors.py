"""The kinds of storage error a caller may want to tell apart.

    StorageError
    ├── MissingError          the object, bucket or folder is not there
    ├── AccessError           it is there, or may be, but the credentials do not reach it
    ├── AlreadyExistsError    a put-if-absent came second
    └── ChangedError          an object to be replaced is no longer the one that was read

Anything else (unreachable, disk full, refused by the server) is a plain StorageError.
"""

from rfmeta_dist.core.errors import StorageError


class MissingError(StorageError):
    """An object, bucket or folder does not exist."""


class AccessError(StorageError):
    """The store refused the credentials, or there are none."""


class AlreadyExistsError(StorageError):
    """An object that was to be created exists already."""


class ChangedError(StorageError):
    """An object that was to be replaced has been replaced by another writer, or deleted, since it was read."""
