"""The manifest of one domain: which samples there are, in which shards, with which hashes.

Below a store each domain has a folder of its own, so that a sealed domain can be kept apart:

    {domain}/{split}/{live|attack}/{number}-{sha256[:12]}.tar   the samples
    {domain}/samples-{sha256[:12]}.parquet                      one row a sample, in shard order
    {domain}/shards-{sha256[:12]}.parquet                       one row a shard, by name
    {domain}/manifest-{version}.json                            written last; the highest holds

Nothing is ever overwritten: a new state of the domain is a new manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.prefix import domains_in, not_found
from rfmeta_dist.data.reread import read_sound
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
CLASSES = ("attack", "live")  # indexed by label
OPTIONAL = ("protocols",)  # columns of the sample table that only some domains have
_MANIFEST = re.compile(r"manifest-(\d{6})\.json")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shard:
    """One tar of one split and class.

    Attributes:
        name: relative to the domain's folder.
        label: 1 live, 0 attack; of all its samples.
        samples: how many it holds.
        size: in bytes.
        sha256: of the whole tar, in hex.
        first: the row of its first sample in the manifest's sample table.
    """

    name: str
    split: Split
    label: int
    samples: int
    size: int
    sha256: str
    first: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Manifest:
    """One state of one domain, as it was when opened.

    Attributes:
        domain: its name.
        fingerprint: SHA-256 of the manifest's JSON in hex; equal fingerprints mean equal data.
        image_size: side of the stored images in pixels.
        contract: how the data came about, as given to `pack`.
        samples: one row a sample; the rows of a shard are adjacent. Columns: see `sample_schema`.
        shards: in the order of their names.
        counts: samples by split and class (`attack`, `live`); absent where there are none.
    """

    domain: str
    fingerprint: str
    image_size: int
    contract: Mapping[str, Any] = field(compare=False)
    samples: pa.Table = field(repr=False, compare=False)
    shards: tuple[Shard, ...] = field(repr=False, compare=False)
    counts: Mapping[str, Mapping[str, int]] = field(compare=False)

    @classmethod
    def open(cls, store: Store, domain: str) -> Manifest:
        """Read the highest manifest of a domain and check its tables against it.

        Raises:
            DataError: there is no such domain, or what is there is damaged or of another format.
            StorageError: the store cannot be read.
        """
        latest = versions(store, domain)[-1:]
        if not latest:
            raise not_found(store, domain)
        return parse(store.sub(domain), domain, latest[0])

    def stream(self, split: Split, label: int) -> list[Shard]:
        """The shards of one class of one split.

        Raises:
            DataError: there are none, so balanced batches cannot be made.
        """
        found = [shard for shard in self.shards if (shard.split, shard.label) == (split, label)]
        if not found:
            raise DataError(
                f"domain '{self.domain}' has no {CLASSES[label]} samples in split '{split}'",
                "a balanced stream needs both classes: choose another split, or ingest the class",
            )
        return found

    def rows(self, shard: Shard) -> list[Row]:
        """The sample rows of one shard, in the order of its tar."""
        rows: list[Row] = self.samples.slice(shard.first, shard.samples).to_pylist()
        return rows


def sample_schema() -> pa.Schema:
    """Columns of the sample table; `offset`, `length` are its span in the tar, in bytes.

    `protocols` are the official evaluation protocols that a sample is in, with its part of each, separated by
    spaces: `1/train 3_2/test`. The column is there only if any sample is in one.
    """
    import pyarrow as pa

    name = pa.dictionary(pa.int32(), pa.string())
    fields = [("key", pa.string())]
    fields += [(n, name) for n in ("domain", "attack_type", "split", "shard", "image_ext")]
    fields += [("label", pa.int8()), ("subject_id", name), ("video_id", name)]
    fields += [("frame_index", pa.int32()), ("index_in_shard", pa.int32())]
    fields += [("offset", pa.int64()), ("length", pa.int32()), ("image_bytes", pa.int32())]
    fields += [("width", pa.int16()), ("height", pa.int16())]
    fields += [(f"sha256_{n}", pa.binary(32)) for n in ("image", "depth", "label")]
    fields += [(n, name) for n in OPTIONAL]
    return pa.schema(fields, metadata={"rfmeta_format": str(FORMAT)})


def present(schema: pa.Schema, columns: Collection[str]) -> pa.Schema:
    """Return a schema without those optional columns that are not among `columns`."""
    import pyarrow as pa

    kept = [field for field in schema if field.name in columns or field.name not in OPTIONAL]
    return pa.schema(kept, metadata=schema.metadata)


def shard_schema() -> pa.Schema:
    """Columns of the shard table."""
    import pyarrow as pa

    fields = [(n, pa.string()) for n in ("shard", "domain", "split")]
    fields += [("label", pa.int8()), ("n_samples", pa.int32()), ("n_bytes", pa.int64())]
    fields += [("sha256", pa.string())]
    return pa.schema(fields, metadata={"rfmeta_format": str(FORMAT)})


def versions(store: Store, domain: str) -> list[str]:
    """The names of a domain's manifests in its folder, oldest first; none for an unknown domain."""
    names = (name.removeprefix(f"{domain}/") for name in store.list(domain))
    return sorted(name for name in names if _MANIFEST.fullmatch(name))


def next_version(manifests: list[str]) -> str:
    """The name that follows the last of `manifests`."""
    last = _MANIFEST.fullmatch(manifests[-1]) if manifests else None
    return f"manifest-{int(last[1]) + 1 if last else 1:06d}.json"


def parse(folder: Store, domain: str, name: str) -> Manifest:
    """Read one manifest of a domain's folder and the two tables it names.

    Raises:
        DataError: it is damaged, of another format or domain, or a table does not match it.
    """
    data = read_sound(lambda: folder.read(name), _is_whole)
    where = f"{folder.url}/{name}"
    content = _content(data, where)
    if content["domain"] != domain:
        raise _damaged(where, f"describes domain '{content['domain']}', not '{domain}'")
    samples = _table(folder, content["samples"], sample_schema())
    shards = _shards(_table(folder, content["shards"], shard_schema()))
    if [s.name for s in shards for _ in range(s.samples)] != samples["shard"].to_pylist():
        raise _damaged(where, "its two tables disagree on the shards' samples")
    return Manifest(
        domain=domain,
        fingerprint=_digest(data),
        image_size=content["image_size"],
        contract=content["contract"],
        samples=samples,
        shards=shards,
        counts=content["counts"],
    )


def _is_whole(data: bytes) -> bool:
    """Whether JSON of ours has its end; what was cut off may be no more than the newline."""
    try:
        return data.endswith(b"\n") and bool(json.loads(data))
    except ValueError:
        return False


def _content(data: bytes, where: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(data)
        found = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(where, "is not a manifest") from error
    if found != FORMAT:
        raise DataError(
            f"{where} has format {found}, this version reads format {FORMAT}",
            "use the version of rfmeta_dist that wrote it, or ingest the domain again",
        )
    absent = {"domain", "image_size", "contract", "counts", "samples", "shards"} - content.keys()
    if absent:
        raise _damaged(where, f"lacks {', '.join(sorted(absent))}")
    return content


def _table(folder: Store, reference: Mapping[str, str], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    name = reference["name"]
    where = f"{folder.url}/{name}"
    try:
        data = read_sound(lambda: folder.read(name), lambda data: _digest(data) == reference["sha256"])
    except MissingError as error:
        raise _damaged(where, "is missing though the manifest names it") from error
    if _digest(data) != reference["sha256"]:
        raise _damaged(where, "does not match the hash in the manifest")
    try:
        table = parquet.read_table(pa.BufferReader(data))
        return table.cast(present(schema, table.column_names))
    except (pa.ArrowException, ValueError) as error:
        raise _damaged(where, f"is not the expected table ({error})") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _shards(table: pa.Table) -> tuple[Shard, ...]:
    shards: list[Shard] = []
    first = 0
    for row in table.to_pylist():
        if row["split"] not in SPLITS or row["label"] not in (0, 1):
            raise _damaged(row["shard"], "has an unknown split or label")
        size, count = row["n_bytes"], row["n_samples"]
        shards.append(Shard(row["shard"], row["split"], row["label"], count, size, row["sha256"], first))
        first += count
    return tuple(shards)


def domains(store: Store) -> list[str]:
    """The names of all domains under a prefix, sorted."""
    return domains_in(store.list())


def _damaged(where: str, what: str) -> DataError:
    return DataError(f"{where} {what}", "ingest the domain again, or restore it from a copy")
