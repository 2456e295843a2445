"""Define the columns of a manifest's two tables, and read the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import read_parquet
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
OPTIONAL = ("protocols", "about", "batch")  # columns of the sample table that only some domains have


def sample_schema() -> pa.Schema:
    """Return the columns of the table of samples.

    `offset` and `length` are a sample's position and size in the tar, in bytes. `protocols` lists the official
    evaluation protocols that use a sample, each with its part, separated by spaces: `1/train 3_2/test`.
    `about` holds what the data set tells about the recording, as JSON: `{"device":"phone-2","session":"1"}`.
    `batch` is the name of the batch that brought a sample, and empty for a sample that is in none.
    Each of these three columns exists only if it is filled for at least one sample.
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
    """Return the schema without the optional columns that are not in `columns`."""
    import pyarrow as pa

    kept = [field for field in schema if field.name in columns or field.name not in OPTIONAL]
    return pa.schema(kept, metadata=schema.metadata)


def shard_schema() -> pa.Schema:
    """Return the columns of the table of shards."""
    import pyarrow as pa

    fields = [(n, pa.string()) for n in ("shard", "domain", "split")]
    fields += [("label", pa.int8()), ("n_samples", pa.int32()), ("n_bytes", pa.int64())]
    fields += [("sha256", pa.string())]
    return pa.schema(fields, metadata={"rfmeta_format": str(FORMAT)})


def read_table(
    folder: Store, reference: Mapping[str, str], schema: pa.Schema, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read a table of a domain's folder, or some of its columns, and check its hash.

    Args:
        folder: the domain's folder.
        reference: `name` and `sha256` of the table, from the manifest.
        schema: the columns that the table must have.
        columns: the columns to read, in this order; None for all.

    Raises:
        DataError: the table is missing, damaged, or has other columns.
        StorageError: the store cannot be read.
    """
    import pyarrow as pa

    data = read_checked(folder, reference["name"], reference["sha256"])
    try:
        found = read_parquet(data, columns)
        if columns is not None:
            found, schema = found.select(columns), pa.schema([schema.field(name) for name in columns])
        return found.cast(present(schema, found.column_names))
    except (pa.ArrowException, ValueError) as error:
        where = f"{folder.url}/{reference['name']}"
        raise damaged(where, f"is not the expected table ({error})") from error


def read_checked(folder: Store, name: str, sha256: str) -> bytes:
    """Read an object of a domain's folder that a manifest lists, and check its hash.

    Args:
        folder: the domain's folder.
        name: the object's name in the folder.
        sha256: the hash that the manifest gives, in hex.

    Raises:
        DataError: the object is missing or damaged.
        StorageError: the store cannot be read.
    """
    where = f"{folder.url}/{name}"
    try:
        data = read_sound(lambda: folder.read(name), lambda data: digest(data) == sha256)
    except MissingError as error:
        raise damaged(where, "is missing though the manifest lists it") from error
    if digest(data) != sha256:
        raise damaged(where, "does not match the hash in the manifest")
    return data


def digest(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def damaged(where: str, what: str) -> DataError:
    """Return the error for a damaged object.

    Args:
        where: the object, the subject of the error's sentence.
        what: what is wrong with the object, the rest of the sentence.
    """
    return DataError(f"{where} {what}", "restore it from a backup, or ingest the domain again")
