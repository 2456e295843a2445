"""Read the manifest of a domain, which lists its samples, its shards and their hashes.

Each domain has its own folder in a store, so that access to a sealed domain can be controlled separately:

    {domain}/{split}/{live|attack}/{number}-{sha256[:12]}.tar   the samples
    {domain}/samples-{sha256[:12]}.parquet                      one row per sample, in the order of the shards
    {domain}/shards-{sha256[:12]}.parquet                       one row per shard, sorted by name
    {domain}/manifest-{version}.json                            written last; the highest version is the newest

No object is ever overwritten. A new state of the domain gets a new manifest, and older states stay readable
until a person is erased from them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.shards.prefix import domains_in, not_found
from rfmeta_dist.data.shards.reread import read_sound
from rfmeta_dist.data.shards.tables import FORMAT, damaged, digest, read_table, sample_schema, shard_schema
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

CLASSES = ("attack", "live")  # indexed by label
_MANIFEST = re.compile(r"manifest-(\d{6})\.json")

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shard:
    """One tar file with samples of one split and one class.

    Attributes:
        name: path relative to the domain's folder.
        split: the split of all its samples.
        label: the label of all its samples, 1 live, 0 attack.
        samples: number of samples.
        size: size of the tar in bytes.
        sha256: SHA-256 of the whole tar, in hex.
        first: the row of its first sample in the manifest's table of samples.
    """

    name: str
    split: Split
    label: int
    samples: int
    size: int
    sha256: str
    first: int = field(default=0, compare=False)


class GoneError(DataError):
    """The state of a domain that was asked for by its fingerprint is no longer stored."""


@dataclass(frozen=True)
class Head:
    """The content of a manifest's JSON: facts about one state of a domain, without its two tables.

    Attributes:
        domain: name of the domain.
        fingerprint: SHA-256 of the manifest's JSON in hex; equal fingerprints mean equal data.
        image_size: side of the stored images in pixels; of the smallest image, if they have native sizes.
        contract: how the data was made, as given to `pack`.
        counts: number of samples by split and class (`attack`, `live`); there is no entry for 0 samples.
        tables: name and SHA-256 of the tables `samples` and `shards`.
    """

    domain: str
    fingerprint: str
    image_size: int
    contract: Mapping[str, Any] = field(compare=False)
    counts: Mapping[str, Mapping[str, int]] = field(compare=False)
    tables: Mapping[str, Mapping[str, str]] = field(repr=False, compare=False)

    def count(self, split: Split | None, label: int) -> int:
        """Return the number of samples of a class in a split, or in all splits if `split` is None."""
        splits = SPLITS if split is None else (split,)
        return sum(self.counts.get(name, {}).get(CLASSES[label], 0) for name in splits)


@dataclass(frozen=True)
class Manifest(Head):
    """One state of one domain: the head, the table of samples and the shards.

    Attributes:
        samples: one row per sample; the rows of a shard are adjacent. Columns: see `sample_schema`.
        shards: the shards, sorted by name.
        protocol: the official protocol to which it is restricted (membership.py); empty for the whole domain.
    """

    samples: pa.Table = field(repr=False, compare=False)
    shards: tuple[Shard, ...] = field(repr=False, compare=False)
    protocol: str = ""

    @classmethod
    def open(cls, store: Store, domain: str, fingerprint: str | None = None) -> Manifest:
        """Read one state of a domain and check its tables against its manifest.

        Args:
            store: the parent of the domains' folders.
            domain: name of the domain.
            fingerprint: fingerprint of the state to read; None for the newest state.

        Raises:
            GoneError: no stored manifest has this fingerprint.
            DataError: there is no such domain, or its manifest or a table is damaged or of another format.
            StorageError: the store cannot be read.
        """
        return _with_tables(store.sub(domain), open_head(store, domain, fingerprint))

    def stream(self, split: Split, label: int) -> list[Shard]:
        """Return the shards of one class of one split.

        Raises:
            DataError: there are none, so balanced batches cannot be made.
        """
        found = [shard for shard in self.shards if (shard.split, shard.label) == (split, label)]
        if not found:
            raise DataError(
                f"domain '{self.domain}' has no {CLASSES[label]} samples in split '{split}'",
                "each batch is half live, half attacks: ingest samples of that class, or leave the domain out",
            )
        return found

    def part(self, split: Split) -> str:
        """Return the name of a split for the ledger: `train`, or `3_2/train` within a protocol."""
        return f"{self.protocol}/{split}" if self.protocol else split

    def rows(self, shard: Shard) -> list[Row]:
        """Return the rows of one shard in the table of samples, in the order of its tar."""
        rows: list[Row] = self.samples.slice(shard.first, shard.samples).to_pylist()
        return rows


def versions(store: Store, domain: str) -> list[str]:
    """Return the file names of a domain's manifests, in the order of their numbers; [] if unknown."""
    names = (name.removeprefix(f"{domain}/") for name in store.list(domain))
    return sorted(name for name in names if _MANIFEST.fullmatch(name))


def next_version(manifests: list[str]) -> str:
    """Return the name of the manifest that comes after the last of `manifests`."""
    last = _MANIFEST.fullmatch(manifests[-1]) if manifests else None
    return f"manifest-{int(last[1]) + 1 if last else 1:06d}.json"


def parse(folder: Store, domain: str, name: str) -> Manifest:
    """Read one manifest of a domain's folder and its two tables.

    Raises:
        DataError: the manifest is damaged, of another format or domain, or a table does not match it.
    """
    return _with_tables(folder, _head(_read(folder, name), domain, f"{folder.url}/{name}"))


def open_head(store: Store, domain: str, fingerprint: str | None = None) -> Head:
    """Read the manifest of one state of a domain without its tables, so that no label of a sample is read.

    Arguments and errors are those of `Manifest.open`.
    """
    names = versions(store, domain)
    if not names:
        raise not_found(store, domain)
    folder = store.sub(domain)
    for name in reversed(names):
        data = _read(folder, name)
        if fingerprint in (None, digest(data)):
            return _head(data, domain, f"{folder.url}/{name}")
    raise GoneError(
        f"none of the {len(names)} manifest(s) of domain {domain} under {store.url} has the fingerprint "
        f"{str(fingerprint)[:12]}: that data was deleted, for example by `rfmeta shards forget`, or damaged",
        "restore it from a backup, or use the newest data in a new run with --set run.name=…",
    )


def subjects(store: Store, head: Head, split: Split | None) -> int:
    """Return the number of people in a split, or in all splits if `split` is None. No label is read.

    Of a `Manifest`, the people are counted in its table, which may be that of a protocol's part.

    Raises:
        DataError: the table of samples is missing or damaged.
        StorageError: the store cannot be read.
    """
    import pyarrow.compute as pc

    wanted = ["subject_id", "split"]
    if isinstance(head, Manifest):
        table = head.samples.select(wanted)
    else:
        table = read_table(store.sub(head.domain), head.tables["samples"], sample_schema(), wanted)
    if split is not None:
        table = table.filter(pc.field("split") == split)
    return len(pc.unique(table["subject_id"].unify_dictionaries()))


def _with_tables(folder: Store, head: Head) -> Manifest:
    samples = read_table(folder, head.tables["samples"], sample_schema())
    shards = _shards(read_table(folder, head.tables["shards"], shard_schema()))
    if not _agree(shards, samples):
        where = f"manifest {head.fingerprint[:12]} under {folder.url} is damaged:"
        raise damaged(where, "its tables of samples and of shards list different samples")
    return Manifest(**vars(head), samples=samples, shards=shards)


def _agree(shards: Sequence[Shard], samples: pa.Table) -> bool:
    """Return True if the rows of the table of samples belong to the shards, in the order of the shards."""
    import pyarrow.compute as pc

    if sum(shard.samples for shard in shards) != samples.num_rows:
        return False
    names = samples["shard"]
    parts = ((shard.name, names.slice(shard.first, shard.samples)) for shard in shards)
    return all(pc.unique(part).to_pylist() in ([], [name]) for name, part in parts)


def _read(folder: Store, name: str) -> bytes:
    return read_sound(lambda: folder.read(name), _is_whole)


def _head(data: bytes, domain: str, where: str) -> Head:
    content = _content(data, where)
    if content["domain"] != domain:
        raise damaged(where, f"describes domain '{content['domain']}', not '{domain}'")
    return Head(
        domain=domain,
        fingerprint=digest(data),
        image_size=content["image_size"],
        contract=content["contract"],
        counts=content["counts"],
        tables={name: content[name] for name in ("samples", "shards")},
    )


def _is_whole(data: bytes) -> bool:
    """Return True if the JSON is complete. The final newline is checked too, as it shows a cut of one byte."""
    try:
        return data.endswith(b"\n") and bool(json.loads(data))
    except ValueError:
        return False


def _content(data: bytes, where: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(data)
        found = content["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(where, "is not a manifest: it is not JSON with a field 'format'") from error
    if found != FORMAT:
        raise DataError(
            f"{where} has format {found}, but this version reads only format {FORMAT}",
            "use the version of rfmeta_dist that wrote it, or ingest the domain again",
        )
    absent = {"domain", "image_size", "contract", "counts", "samples", "shards"} - content.keys()
    if absent:
        raise damaged(where, f"lacks {', '.join(sorted(absent))}")
    if not (isinstance(content["image_size"], int) and _are_counts(content["counts"])):
        raise damaged(where, "has an image_size or counts that are not whole numbers")
    return content


def _are_counts(found: object) -> bool:
    """Return True if `found` maps splits to classes, and classes to whole numbers."""
    if not isinstance(found, dict) or not all(isinstance(classes, dict) for classes in found.values()):
        return False
    return all(isinstance(count, int) for classes in found.values() for count in classes.values())


def _shards(table: pa.Table) -> tuple[Shard, ...]:
    shards: list[Shard] = []
    first = 0
    for row in table.to_pylist():
        if row["split"] not in SPLITS or row["label"] not in (0, 1):
            raise damaged(
                f"shard {row['shard']}", f"has an unknown split or label: {row['split']!r}, {row['label']!r}"
            )
        size, count = row["n_bytes"], row["n_samples"]
        shards.append(Shard(row["shard"], row["split"], row["label"], count, size, row["sha256"], first))
        first += count
    return tuple(shards)


def domains(store: Store) -> list[str]:
    """Return the sorted names of all domains under a prefix."""
    return domains_in(store.list())
