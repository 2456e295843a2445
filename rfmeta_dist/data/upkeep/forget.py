"""Erase a subject from a domain: first from its newest state, then from all older objects in its folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import read_parquet
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest, Row, Shard, next_version, versions
from rfmeta_dist.data.shards.publish import put
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.data.upkeep.orphans import named, tables
from rfmeta_dist.storage.errors import AlreadyExistsError
from rfmeta_dist.storage.reclaim import reclaim
from rfmeta_dist.storage.store import Store

_BLOCK, _RECORD = 512, 10_240  # a tar ends with two empty blocks and fills its last record


@dataclass
class Forgotten:
    """What a call of `forget` removed. A call that completes an interrupted one has less to remove.

    Attributes:
        samples: keys of the samples that were removed from the newest manifest.
        rewritten: shards that were replaced by ones without the subject, or removed if no sample remained.
        deleted: names of the deleted objects, relative to the domain's folder.
        reclaimed: True if the bytes are gone from the disk too, which holds for a local folder and for the
            embedded server. False for another S3 server, which may keep deleted objects.
    """

    samples: list[str] = field(default_factory=list)
    rewritten: list[Shard] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    reclaimed: bool = False


def forget(store: Store, domain: str, subject: str) -> Forgotten:
    """Remove every byte of a subject from a domain.

    The shards that hold the subject are rewritten without it and a new manifest is published. Then all objects
    that hold or name the subject are deleted: shards, tables, older manifests, and remains of interrupted work.
    If a call is interrupted, call again to complete it. A run that reads an older state of the domain cannot
    continue afterwards.

    Args:
        store: the parent of the domains' folders.
        domain: name of the domain.
        subject: name of the subject, as in the manifest's column `subject_id`.

    Raises:
        DataError: no object of the domain names the subject, or a shard that holds the subject is damaged.
        StorageError: the store cannot be read or written.
    """
    if not subject:
        raise DataError("the name of the subject is empty", "`rfmeta shards stats --subjects` lists the names")
    done = Forgotten()
    while not _published_without(store, domain, subject, done):
        done = Forgotten()  # another process published a version meanwhile: start again from that version
    done.deleted = _traces(store, domain, subject)
    folder = store.sub(domain)
    for name in done.deleted:
        folder.delete(name)
    # Reclaim even if nothing was deleted: an interrupted call may have deleted the objects before.
    done.reclaimed = reclaim() if store.url.startswith("s3://") else True
    if not done.samples and not done.deleted:
        raise DataError(
            f"domain '{domain}' under {store.url} has no subject '{subject}'",
            "`rfmeta shards stats --subjects` lists the names; each starts with its domain",
        )
    return done


def _published_without(store: Store, domain: str, subject: str, done: Forgotten) -> bool:
    """Publish a version without the subject if the newest one has it.

    Return False if another process published a version meanwhile.
    """
    folder = store.sub(domain)
    manifests = versions(store, domain)
    manifest = Manifest.open(store, domain)
    rows: list[Row] = manifest.samples.to_pylist()
    done.samples = [row["key"] for row in rows if row["subject_id"] == subject]
    contract = _without(manifest.contract, subject)
    if not done.samples and contract == manifest.contract:
        return True
    kept: list[tuple[Shard, list[Row]]] = []
    for shard in manifest.shards:
        found = rows[shard.first : shard.first + shard.samples]
        if any(row["subject_id"] == subject for row in found):
            done.rewritten.append(shard)
            remaining = [row for row in found if row["subject_id"] != subject]
            kept += [_rewritten(folder, shard, found, remaining)] if remaining else []
        else:
            kept.append((shard, found))
    kept.sort(key=lambda pair: pair[0].name)
    try:
        put(
            folder,
            next_version(manifests),
            domain,
            [shard for shard, _ in kept],
            [row for _, part in kept for row in part],
            image_size=manifest.image_size,
            # The count explains why other counts in the contract no longer fit, and it changes the fingerprint.
            contract={**contract, "forgotten_subjects": contract.get("forgotten_subjects", 0) + 1},
        )
    except AlreadyExistsError:
        return False
    return True


def _rewritten(
    folder: Store, shard: Shard, rows: Sequence[Row], remaining: Sequence[Row]
) -> tuple[Shard, list[Row]]:
    """Write a shard with some of its samples; its bytes are as if the others had never been packed."""
    before = fetch(folder, shard)
    unpack(before, rows, f"{folder.url}/{shard.name}")
    parts: list[bytes] = []
    kept: list[Row] = []
    offset = 0
    for index, row in enumerate(remaining):
        parts.append(before[row["offset"] : row["offset"] + row["length"]])
        kept.append({**row, "index_in_shard": index, "offset": offset})
        offset += row["length"]
    parts.append(bytes(-(offset + 2 * _BLOCK) % _RECORD + 2 * _BLOCK))
    data = b"".join(parts)
    digest = hashlib.sha256(data).hexdigest()
    number = shard.name.rpartition("/")[2].partition("-")[0]
    name = f"{shard.split}/{CLASSES[shard.label]}/{number}-{digest[:12]}.tar"
    kept = [{**row, "shard": name} for row in kept]
    unpack(data, kept, name)
    folder.write(name, data)
    return replace(shard, name=name, samples=len(kept), size=len(data), sha256=digest), kept


def _traces(store: Store, domain: str, subject: str) -> list[str]:
    """Return the objects outside the newest state that hold or name the subject, or that only such objects use.

    They are listed in the order in which they must be deleted: manifests come last, so that after an
    interruption the remaining objects can still be found.
    """
    folder = store.sub(domain)
    *older, newest = versions(store, domain)
    current = named(folder, domain, newest)
    others = [name for name in folder.list() if name not in current and name not in older]
    traces = {name for name in others if _holds(name, _read(folder, name), subject)}
    manifests: list[str] = []
    wanted: set[str] = set()
    unwanted: set[str] = set()
    sound = current | (set(others) - traces)
    for name in older:
        content = _read(folder, name)
        parts = _parts(content)
        if not sound.issuperset(parts) or _mentions(content.decode(errors="replace"), subject):
            manifests.append(name)
            unwanted |= set(parts) | _shards(folder, parts)
        else:
            wanted |= set(parts) | _shards(folder, parts)
    traces |= (unwanted & set(others)) - wanted
    return [*sorted(traces, key=lambda name: (name.endswith(".parquet"), name)), *manifests]


def _read(folder: Store, name: str) -> bytes:
    """Read an object until it matches the hash in its name, or until two reads in a row are equal."""
    return read_sound(lambda: folder.read(name), lambda data: hashlib.sha256(data).hexdigest()[:12] in name)


def _parts(content: bytes) -> list[str]:
    try:
        return tables(json.loads(content))
    except (ValueError, KeyError, TypeError):
        # No object has this name, so that an unreadable manifest is deleted: it may name the subject.
        return ["nothing that exists"]


def _shards(folder: Store, parts: Iterable[str]) -> set[str]:
    """Return the shards that are named in those of a manifest's tables that can be read."""
    found = (_values(_read(folder, part), "shard") for part in parts if folder.exists(part))
    return {name for names in found for name in names or ()}


def _holds(name: str, data: bytes, subject: str) -> bool:
    """Return True if an object or its name contains the subject, or if that cannot be excluded."""
    if name.endswith(".parquet"):
        subjects = _values(data, "subject_id", "subject")  # of a table of samples; of a staged recording
        return subjects is None or subject in subjects
    # The JSON descriptions in a shard are not compressed, so its bytes can be searched directly.
    return _mentions(name, subject) or _mentions(data.decode("latin-1"), subject.encode().decode("latin-1"))


def _values(data: bytes, *columns: str) -> set[str] | None:
    """Return all values of those columns that the table has; None if the table is damaged."""
    import pyarrow as pa

    try:
        table = read_parquet(data)
    except (pa.ArrowException, ValueError, OSError):
        return None
    return {value for name in columns if name in table.column_names for value in table[name].to_pylist()}


def _without(value: Any, subject: str) -> Any:
    """Return the JSON value without the entries that mention the subject."""
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if not _mentions(key, subject)}
        return {key: _without(inner, subject) for key, inner in kept.items() if not _mentions(inner, subject)}
    if isinstance(value, list):
        return [_without(inner, subject) for inner in value if not _mentions(inner, subject)]
    return value


def _mentions(value: Any, subject: str) -> bool:
    """Return True if a text contains the subject's name, but not as a part of a longer name."""
    if not isinstance(value, str) or subject not in value:
        return False
    return re.search(rf"(?<![A-Za-z0-9_-]){re.escape(subject)}(?![A-Za-z0-9_-])", value) is not None
