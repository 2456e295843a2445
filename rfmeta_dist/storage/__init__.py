"""One way to open an object store, on disk or in S3, and an S3 server to carry along."""

from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.store import Store, open_store

__all__ = ["AccessError", "AlreadyExistsError", "ChangedError", "MissingError", "Store", "open_store"]
