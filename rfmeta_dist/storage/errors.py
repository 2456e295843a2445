"""Define the kinds of storage errors that callers handle differently.

    StorageError
    ├── MissingError          the object, bucket or folder does not exist
    ├── AccessError           the credentials are missing, or do not give access
    ├── AlreadyExistsError    an object that was to be created exists already
    └── ChangedError          an object that was to be replaced has changed since it was read

All other errors (store unreachable, disk full, request refused) are a plain StorageError.
"""

from rfmeta_dist.core.errors import StorageError


class MissingError(StorageError):
    """An object, bucket or folder does not exist."""


class AccessError(StorageError):
    """The store refused the credentials, or there are none."""


class AlreadyExistsError(StorageError):
    """Something is stored under this name already, so an operation that only creates did not write."""


class ChangedError(StorageError):
    """An object that was to be replaced has been replaced by another writer, or deleted, since it was read."""
