"""Erase a subject from a domain: from its newest state first, then from everything older that is stored."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rfmeta_dist.core.errors import DataError
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
    """What a call removed; one that completes an interrupted call removes less.

    Attributes:
        samples: keys that the newest manifest no longer has.
        rewritten: shards of it that were replaced, or dropped if nothing remained.
        deleted: objects that no longer exist, relative to the domain's folder.
        reclaimed: whether they are gone from the disk too: of a folder, or of the embedded server's files. What
            another S3 server keeps of deleted objects is not known here.
    """

    samples: list[str] = field(default_factory=list)
    rewritten: list[Shard] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    reclaimed: bool = False


def forget(store: Store, domain: str, subject: str) -> Forgotten:
    """Remove every byte of a subject from a domain.

    The shards that hold the subject are rewritten without it and a new manifest is published. Then all objects
    that hold or name the subject are deleted: shards, tables, older manifests, and what interrupted work left.
    An interrupted call is completed by the next. A run on an older state of the domain cannot go on afterwards.

    Args:
        store: the parent of the domains' folders.
        domain: its name.
        subject: as in the manifest's column `subject_id`.

    Raises:
        DataError: nothing there names the subject, or a shard concerned is damaged.
        StorageError: the store cannot be read or written.
    """
    if not subject:
        raise DataError("the name of the subject is empty", "`rfmeta shards stats --subjects` lists the names")
    done = Forgotten()
    while not _published_without(store, domain, subject, done):
        done = Forgotten()  # someone else published meanwhile: begin with what they published
    done.deleted = _traces(store, domain, subject)
    folder = store.sub(domain)
    for name in done.deleted:
        folder.delete(name)
    # Also if there was nothing to delete: an interrupted call may have got as far as this.
    done.reclaimed = reclaim() if store.url.startswith("s3://") else True
    if not done.samples and not done.deleted:
        raise DataError(
            f"domain '{domain}' under {store.url} has no subject '{subject}'",
            "`rfmeta shards stats --subjects` lists the names; each starts with its domain",
        )
    return done


def _published_without(store: Store, domain: str, subject: str, done: Forgotten) -> bool:
    """Publish a version without the subject if the newest has it; False if someone else came first."""
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
            # So that counts in the contract that no longer fit are explained, and the fingerprint is new.
            contract={**contract, "forgotten_subjects": contract.get("forgotten_subjects", 0) + 1},
        )
    except AlreadyExistsError:
        return False
    return True


def _rewritten(
    folder: Store, shard: Shard, rows: Sequence[Row], remaining: Sequence[Row]
) -> tuple[Shard, list[Row]]:
    """Write a shard with some of its samples alone: the same bytes as if the others had never been packed."""
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
    """Objects beside the newest state that hold or name the subject, and those of use to these alone.

    In the order in which they may be deleted: as long as one is left, so is what leads to it.
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
    """An object whole: its name may hold its hash, otherwise two equal answers must do."""
    return read_sound(lambda: folder.read(name), lambda data: hashlib.sha256(data).hexdigest()[:12] in name)


def _parts(content: bytes) -> list[str]:
    try:
        return tables(json.loads(content))
    except (ValueError, KeyError, TypeError):
        return ["nothing that exists"]  # a manifest that cannot be read is of no use, and may name anybody


def _shards(folder: Store, parts: Iterable[str]) -> set[str]:
    """The shards that a manifest's tables name, as far as they can be read."""
    found = (_values(_read(folder, part), "shard") for part in parts if folder.exists(part))
    return {name for names in found for name in names or ()}


def _holds(name: str, data: bytes, subject: str) -> bool:
    """Whether an object has the subject in it or in its name, or cannot be shown not to."""
    if name.endswith(".parquet"):
        subjects = _values(data, "subject_id", "subject")  # of a samples table, of a staged recording
        return subjects is None or subject in subjects
    # Nothing in a shard is compressed but the pictures, so its descriptions can be searched as they are.
    return _mentions(name, subject) or _mentions(data.decode("latin-1"), subject.encode().decode("latin-1"))


def _values(data: bytes, *columns: str) -> set[str] | None:
    """The values in those of the columns that a table has; None if it is damaged."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(data))
    except (pa.ArrowException, ValueError, OSError):
        return None
    return {value for name in columns if name in table.column_names for value in table[name].to_pylist()}


def _without(value: Any, subject: str) -> Any:
    """JSON without the entries that mention the subject."""
    if isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if not _mentions(key, subject)}
        return {key: _without(inner, subject) for key, inner in kept.items() if not _mentions(inner, subject)}
    if isinstance(value, list):
        return [_without(inner, subject) for inner in value if not _mentions(inner, subject)]
    return value


def _mentions(value: Any, subject: str) -> bool:
    """Whether a text has the subject's name in it, other than as a part of a longer name."""
    if not isinstance(value, str) or subject not in value:
        return False
    return re.search(rf"(?<![A-Za-z0-9_-]){re.escape(subject)}(?![A-Za-z0-9_-])", value) is not None
