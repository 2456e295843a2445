"""Copy a domain from one store to another: its shards, its two tables and, at the end, its manifest."""

from __future__ import annotations

from rfmeta_dist.data.shards.manifest import Manifest, next_version, open_head, versions
from rfmeta_dist.data.shards.prefix import not_found
from rfmeta_dist.data.shards.tables import digest, read_checked
from rfmeta_dist.storage.store import Store


def copy(source: Store, domain: str, target: Store) -> Manifest:
    """Make the newest state of a domain in one store the newest state in another one.

    Objects that are in the target already are not written again. Readers see the new state only when it is
    complete. After an interruption, the next call continues the copy.

    Args:
        source: the parent of the domain's folder.
        domain: name of the domain.
        target: the store to copy to.

    Returns:
        The domain's manifest in `target`; it has the same fingerprint as that in `source`.

    Raises:
        DataError: there is no such domain in `source`, or an object of it is damaged or missing.
        StorageError: a store cannot be read or written.
    """
    before, after = source.sub(domain), target.sub(domain)
    states = versions(source, domain)
    if not states:
        raise not_found(source, domain)
    newest = before.read(states[-1])
    manifest = Manifest.open(source, domain, digest(newest))
    there = versions(target, domain)
    if there and open_head(target, domain).fingerprint == manifest.fingerprint:
        return Manifest.open(target, domain)
    hashes = {shard.name: shard.sha256 for shard in manifest.shards}
    hashes |= {table["name"]: table["sha256"] for table in manifest.tables.values()}
    for name, sha256 in hashes.items():
        if not after.exists(name):  # its name contains the hash of its content
            after.write(name, read_checked(before, name, sha256))
    after.create(next_version(there), newest)
    return Manifest.open(target, domain)
