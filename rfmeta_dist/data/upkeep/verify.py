"""Read a whole domain and list everything that differs from its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.shards.decode import FULL_DEPTH_SIZE, decode, decode_depth
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.storage.store import Store


@dataclass(frozen=True)
class Finding:
    """A fault that was found in a domain.

    Attributes:
        where: the faulty object, relative to the domain's folder, or the key of the faulty sample.
        problem: what is wrong with it.
    """

    where: str
    problem: str


def verify(store: Store, domain: str) -> list[Finding]:
    """Check every hash and decode every sample of a domain. An empty list means that all samples can be read.

    Raises:
        StorageError: the store cannot be read.
    """
    return list(findings(store, domain))


def findings(store: Store, domain: str) -> Iterator[Finding]:
    """Yield the findings of `verify` one by one, as soon as each is found.

    Raises:
        StorageError: the store cannot be read.
    """
    try:
        manifest = Manifest.open(store, domain)
    except DataError as error:
        yield Finding("manifest", error.problem)
        return
    yield from _shared_subjects(manifest)
    for shard in manifest.shards:
        yield from _shard_findings(store.sub(domain), manifest, shard)


def _shard_findings(folder: Store, manifest: Manifest, shard: Shard) -> Iterator[Finding]:
    try:
        samples = unpack(fetch(folder, shard), manifest.rows(shard), shard.name)
    except DataError as error:
        yield Finding(shard.name, error.problem)
        return
    for sample in samples:
        try:
            decode(sample, manifest.image_size)
            if sample.full_depth is not None:
                decode_depth(sample.full_depth, FULL_DEPTH_SIZE)
        except DataError as error:
            yield Finding(sample.row["key"], error.problem)
        except ValueError as error:
            yield Finding(sample.row["key"], f"its full depth map cannot be decoded: {error}")


def _shared_subjects(manifest: Manifest) -> Iterator[Finding]:
    splits: dict[str, set[str]] = {}
    columns = manifest.samples.select(["subject_id", "split"]).group_by(["subject_id", "split"])
    for pair in columns.aggregate([]).to_pylist():
        splits.setdefault(pair["subject_id"], set()).add(pair["split"])
    for subject, found in sorted(splits.items()):
        if len(found) > 1:
            yield Finding(subject, f"the subject is in several splits: {', '.join(sorted(found))}")
