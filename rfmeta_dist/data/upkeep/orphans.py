"""What a domain's folder holds that none of its manifests names: the remains of interrupted work."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.data.shards.manifest import parse, versions
from rfmeta_dist.data.shards.prefix import not_found
from rfmeta_dist.storage.store import Store
from rfmeta_dist.storage.times import written

# Only what packing writes; other objects are somebody else's.
_PACKED = re.compile(r"\w+/(live|attack)/\d{6}-[0-9a-f]{12}\.tar|(samples|shards)-[0-9a-f]{12}\.parquet")


def named(folder: Store, domain: str, manifest: str) -> set[str]:
    """The names of a manifest, its two tables and its shards.

    Raises:
        DataError: the manifest or a table is damaged.
        StorageError: the store cannot be read.
    """
    shards = parse(folder, domain, manifest).shards
    return {manifest, *tables(json.loads(folder.read(manifest))), *(shard.name for shard in shards)}


def tables(content: Mapping[str, Any]) -> list[str]:
    """The names of the two tables of a manifest's JSON."""
    return [content["samples"]["name"], content["shards"]["name"]]


def orphans(store: Store, domain: str) -> list[str]:
    """Shards and tables that no manifest of the domain names, sorted.

    A process that is packing right now has written some that its manifest is yet to name.

    Raises:
        DataError: a manifest is damaged, so what it named cannot be known.
        StorageError: the store cannot be read.
    """
    folder = store.sub(domain)
    # Listed before the manifests are read: what is published meanwhile is not taken for an orphan.
    found = [name for name in folder.list() if _PACKED.fullmatch(name)]
    known = {name for manifest in versions(store, domain) for name in named(folder, domain, manifest)}
    return [name for name in found if name not in known]


def clean(store: Store, domain: str) -> list[str]:
    """Delete the orphans that are older than the domain's newest manifest; the names of those deleted.

    Younger ones may belong to a process that is packing now.

    Raises:
        DataError, StorageError: as `orphans`.
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
