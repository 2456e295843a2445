"""Find and delete orphans: shards and tables of a domain that no manifest names, left by interrupted work."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.data.shards.manifest import parse, versions
from rfmeta_dist.data.shards.prefix import not_found
from rfmeta_dist.storage.store import Store
from rfmeta_dist.storage.times import written

# Only names that `pack` writes. Other objects in the folder are never deleted.
_PACKED = re.compile(r"\w+/(live|attack)/\d{6}-[0-9a-f]{12}\.tar|(samples|shards)-[0-9a-f]{12}\.parquet")


def named(folder: Store, domain: str, manifest: str) -> set[str]:
    """Return the names of a manifest, its two tables and its shards.

    Raises:
        DataError: the manifest or a table is damaged.
        StorageError: the store cannot be read.
    """
    shards = parse(folder, domain, manifest).shards
    return {manifest, *tables(json.loads(folder.read(manifest))), *(shard.name for shard in shards)}


def tables(content: Mapping[str, Any]) -> list[str]:
    """Return the names of the two tables that a manifest's JSON refers to."""
    return [content["samples"]["name"], content["shards"]["name"]]


def orphans(store: Store, domain: str) -> list[str]:
    """Return the sorted names of shards and tables that no manifest of the domain names.

    If a process is packing the domain at this moment, its shards are among them, because their manifest is
    written last.

    Raises:
        DataError: a manifest is damaged, so the objects that it named are unknown.
        StorageError: the store cannot be read.
    """
    folder = store.sub(domain)
    # List the objects before reading the manifests, so that one that is published meanwhile is no orphan.
    found = [name for name in folder.list() if _PACKED.fullmatch(name)]
    known = {name for manifest in versions(store, domain) for name in named(folder, domain, manifest)}
    return [name for name in found if name not in known]


def clean(store: Store, domain: str) -> list[str]:
    """Delete the orphans that are older than the domain's newest manifest, and return their names.

    Newer orphans stay, because they may belong to a process that is packing at this moment.

    Raises:
        DataError, StorageError: as for `orphans`.
    """
    folder = store.sub(domain)
    found = orphans(store, domain)
    if not found:
        return []
    manifests = versions(store, domain)
    if not manifests:
        raise not_found(store, domain)
    newest = written(folder, manifests[-1])
    old = [name for name in found if written(folder, name) < newest]
    for name in old:
        folder.delete(name)
    return old
