"""Write the manifest of a domain whose shards are stored. Only then do readers see the new shards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import CLASSES, Head, Manifest, Row, Shard, next_version, parse, versions
from rfmeta_dist.data.shards.tables import FORMAT, OPTIONAL, present, sample_schema, shard_schema
from rfmeta_dist.storage.errors import AlreadyExistsError
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


def publish(
    store: Store,
    domain: str,
    shards: Sequence[Shard],
    rows: Sequence[Row],
    *,
    image_size: int,
    contract: Mapping[str, Any],
) -> Manifest:
    """Publish the next version of a domain, unless its newest version already describes the same data.

    Args:
        store: the parent of the domains' folders.
        domain: name of the domain.
        shards: the shards, sorted by name; all are stored already.
        rows: one row per sample, in the order of the shards; see `sample_schema`.
        image_size: side of the stored images in pixels.
        contract: how the data was made, as values that JSON can represent.

    Returns:
        The newest manifest, as a reader opens it.

    Raises:
        DataError: the domain's newest version has batches, which the next one would lack.
        StorageError: the store cannot be written.
    """
    folder = store.sub(domain)
    while True:
        manifests = versions(store, domain)
        latest = _readable(folder, domain, manifests)
        if latest and _same(latest, shards, contract):
            return latest
        if latest:
            require_no_batches(latest)
        name = next_version(manifests)
        try:
            put(folder, name, domain, shards, rows, image_size=image_size, contract=contract)
        except AlreadyExistsError:
            continue  # another process published this version meanwhile: compare with it and try the next one
        return parse(folder, domain, name)


def require_no_batches(latest: Head) -> None:
    """Raise a DataError if a domain has batches, because publishing other samples would drop them."""
    if names := sorted(latest.contract.get("batches", {})):
        raise DataError(
            f"domain {latest.domain} has the batch(es) {', '.join(names)}, and publishing other samples of the "
            "domain would drop them",
            f"add the samples as one more batch (--into {latest.domain} --batch NAME --supplier WHO), use "
            "another prefix, or first take each batch out: "
            f"rfmeta shards retract PREFIX {latest.domain} {names[0]}",
        )


def put(
    folder: Store,
    name: str,
    domain: str,
    shards: Sequence[Shard],
    rows: Sequence[Row],
    *,
    image_size: int,
    contract: Mapping[str, Any],
) -> None:
    """Write the two tables and then the manifest `name`, unless a manifest of that name exists.

    The other arguments are those of `publish`.

    Raises:
        AlreadyExistsError: another process published this version first.
        StorageError: the store cannot be written.
    """
    columns = [name for name in OPTIONAL if any(row.get(name) for row in rows)]
    content = {
        "format": FORMAT,
        "domain": domain,
        "image_size": image_size,
        "contract": contract,
        "counts": _counts(shards),
        "samples": _write_table(folder, "samples", rows, present(sample_schema(), columns)),
        "shards": _write_table(folder, "shards", _shard_rows(domain, shards), shard_schema()),
    }
    folder.create(name, json_bytes(content))


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return the content as JSON; equal contents give equal bytes."""
    return (json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def _readable(folder: Store, domain: str, manifests: Sequence[str]) -> Manifest | None:
    """Return the newest manifest. None if there is none or it is damaged; publishing then writes a new one."""
    try:
        return parse(folder, domain, manifests[-1]) if manifests else None
    except DataError:
        return None


def _same(latest: Manifest, shards: Sequence[Shard], contract: Mapping[str, Any]) -> bool:
    # Compare the shards, not the tables: shards contain every fact about a sample, and the bytes of a table
    # depend on the version of pyarrow.
    same_shards = list(latest.shards) == list(shards)
    return same_shards and json_bytes(latest.contract) == json_bytes(contract)


def _counts(shards: Sequence[Shard]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for shard in shards:
        classes = counts.setdefault(shard.split, {})
        name = CLASSES[shard.label]
        classes[name] = classes.get(name, 0) + shard.samples
    return counts


def _shard_rows(domain: str, shards: Sequence[Shard]) -> list[Row]:
    return [
        {
            "shard": shard.name,
            "domain": domain,
            "split": shard.split,
            "label": shard.label,
            "n_samples": shard.samples,
            "n_bytes": shard.size,
            "sha256": shard.sha256,
        }
        for shard in shards
    ]


def _write_table(folder: Store, kind: str, rows: Sequence[Row], schema: pa.Schema) -> dict[str, str]:
    """Write a table under a name that has its hash. Return its name and SHA-256, for the manifest."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist(rows, schema), sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(data).hexdigest()
    name = f"{kind}-{digest[:12]}.parquet"
    folder.write(name, data)
    return {"name": name, "sha256": digest}
