"""Open an object store of any kind."""

from __future__ import annotations

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.core.places import require_no_credentials
from rfmeta_dist.storage.api import Store

__all__ = ["Store", "open_store"]


def open_store(url: str) -> Store:
    """Open `s3://bucket/prefix`, or a local folder given as a path or `file://` URL.

    S3 takes its credentials and endpoint from the environment (AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, or any other source botocore knows, see docs/how-to/s3-store.md)
    in each process that uses the store. Nothing is contacted before the first read or write.

    Raises:
        ConfigError: the URL holds credentials, or the path begins with `~` and a user who does not exist.
        StorageError: the URL has another scheme, or no bucket.
    """
    require_no_credentials(url)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        from rfmeta_dist.storage.local import LocalStore

        return LocalStore.at(rest if separator else url)
    if scheme == "s3" and rest.strip("/"):
        from rfmeta_dist.storage.s3 import S3Store

        return S3Store(f"s3://{rest.strip('/')}")
    raise StorageError(f"cannot open a store at '{url}'", "use s3://bucket/prefix or the path of a folder")
