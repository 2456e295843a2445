"""Open object stores, which are folders on disk or prefixes in S3, and run an embedded S3 server."""

from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.store import Store, open_store

__all__ = ["AccessError", "AlreadyExistsError", "ChangedError", "MissingError", "Store", "open_store"]
