"""List and delete folders of a store. On disk a folder may be empty, and `Store.list` does not show it."""

from __future__ import annotations

import shutil
from pathlib import Path

from rfmeta_dist.storage.api import Store, checked
from rfmeta_dist.storage.local import LocalStore


def folders(store: Store) -> list[str]:
    """Return the sorted names of the folders directly below a store; on disk also of empty folders.

    Raises:
        StorageError: the store cannot be listed.
    """
    found = {name.partition("/")[0] for name in store.list() if "/" in name}
    if isinstance(store, LocalStore) and Path(store.url).is_dir():
        found |= {path.name for path in Path(store.url).iterdir() if path.is_dir()}
    return sorted(found)


def remove_folder(store: Store, name: str) -> None:
    """Delete all objects below the folder `name`, on disk also the folder. A missing folder is no error.

    Raises:
        StorageError: an object cannot be deleted.
    """
    for path in store.list(name):
        store.delete(path)
    if isinstance(store, LocalStore):
        shutil.rmtree(Path(store.url) / checked(name), ignore_errors=True)  # only partial files are left in it
