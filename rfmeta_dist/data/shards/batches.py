"""Add named deliveries to a domain, mark them as reviewed, and take them out again.

A batch has shards of its own. Each change publishes a new state of the domain. No shard is rewritten and
nothing is deleted, so a run goes on with the state that it started with.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.delivery import Delivery, require_fit, surplus, survey
from rfmeta_dist.data.shards.manifest import Head, Manifest, Row, Shard, next_version, parse, versions
from rfmeta_dist.data.shards.pack import SHARD_BYTES, write_shards
from rfmeta_dist.data.shards.publish import json_bytes, put
from rfmeta_dist.data.shards.tables import OPTIONAL
from rfmeta_dist.storage.errors import AlreadyExistsError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store

MOST = 10.0  # videos of an attack type for each video of all other types; a batch's surplus is left out
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,23}")
_FIRST, _NUMBERS = 100_000, 800_000  # numbers of a batch's shards; those of a domain begin with 0

Parts = tuple[list[Shard], list[Row], dict[str, Any]]  # shards, rows of their samples, and contract of a state


@dataclass(frozen=True)
class Batch:
    """A named delivery of samples that was added to a domain.

    Attributes:
        name: up to 24 letters, digits, `_` and `-`; unique in the domain.
        supplier: who delivered it.
        time: when it was added, in ISO 8601, UTC.
        reviewed: True if a person has checked its labels.
        samples: number of samples in it when it was added. Erasing a person does not change this number.
        sha256: SHA-256 of the samples that were delivered, in hex.
        surplus: videos that were left out because their attack type would have outweighed all else, by type.
        made: how its crops were made, as ingest or the generator describes it.
    """

    name: str
    supplier: str
    time: str
    reviewed: bool = False
    samples: int = 0
    sha256: str = ""
    surplus: Mapping[str, int] = field(default_factory=dict, hash=False)
    made: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)


def batches_of(head: Head) -> dict[str, Batch]:
    """Return the batches of a state of a domain by name, sorted; {} for a domain without batches."""
    entries = head.contract.get("batches", {})
    # Erasing a person removes every entry that names the person, so each entry may be absent.
    return {
        name: Batch(**{"name": name, "supplier": "", "time": "", **entries[name]}) for name in sorted(entries)
    }


def videos_by_type(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Return the number of videos by batch and attack type. The batch "" has what is in no batch."""
    columns = [name for name in ("batch", "attack_type", "video_id") if name in manifest.samples.column_names]
    rows = manifest.samples.select(columns).group_by(columns).aggregate([]).to_pylist()
    counts = Counter((row.get("batch", ""), row["attack_type"]) for row in rows)
    found: dict[str, dict[str, int]] = {}
    for (batch, kind), number in sorted(counts.items()):
        found.setdefault(batch, {})[kind] = number
    return found


def publish_batch(
    samples: Iterable[Sample],
    store: Store,
    domain: str,
    batch: Batch,
    *,
    contract: Mapping[str, Any],
    shard_bytes: int = SHARD_BYTES,
    native: bool = False,
    most: float = MOST,
) -> Manifest:
    """Publish the newest state of a domain plus the samples of a batch, as shards of their own.

    The shards of the domain stay as they are. Two processes may add batches at once: none is lost. The same
    batch again changes nothing, even if a person of it was erased meanwhile.

    Args:
        samples: the samples, under the names that they are to have in the domain. They are read twice; a
            generator is kept in memory for that.
        store: the parent of the domains' folders.
        domain: name of an existing domain.
        batch: name, supplier and time of the batch; the other fields are computed here.
        contract: how the crops were made, as values that JSON can represent.
        shard_bytes: a shard is closed when its images and depth maps reach this size in bytes.
        native: accept images of different sizes.
        most: see `delivery.surplus`.

    Returns:
        The newest manifest of the domain, as a reader opens it.

    Raises:
        DataError: there is no such domain; the batch's name cannot be used, or is that of a batch with other
            samples; a sample cannot be packed; or the batch does not fit the domain (`delivery.require_fit`).
        StorageError: the store cannot be read or written.
    """
    made = json.loads(json_bytes(contract))
    require_usable(batch)
    require_put_if_absent(store)
    samples = list(samples) if isinstance(samples, Iterator) else samples
    base = Manifest.open(store, domain)
    delivery = survey(samples, domain, batch.name, native=native)
    if _is_there(base, delivery):
        return base
    require_fit(base, delivery, made, native=native)
    left_out = surplus(base, delivery, most)
    kept = (sample for sample in samples if sample.video not in left_out)
    new, new_rows = write_shards(kept, store.sub(domain), shard_bytes, _first_number(batch.name))
    facts = {
        "supplier": batch.supplier,
        "time": batch.time,
        "reviewed": False,
        "samples": len(new_rows),
        "sha256": delivery.sha256,
        "surplus": dict(sorted(Counter(delivery.videos[video] for video in left_out).items())),
        "made": made,
    }

    def merged(newest: Manifest) -> Parts | None:
        if _is_there(newest, delivery):
            return None
        _require_stored(store, newest, batch.name, new)
        require_fit(newest, delivery, made, native=native)
        rows = newest.samples.to_pylist() + [{**row, "batch": batch.name} for row in new_rows]
        batches = {**newest.contract.get("batches", {}), batch.name: facts}
        return [*newest.shards, *new], rows, {**newest.contract, "batches": batches}

    return _published(store, domain, merged)


def set_reviewed(store: Store, domain: str, batch: str, reviewed: bool = True) -> Manifest:
    """Publish the newest state of a domain with a batch marked as reviewed, or as not reviewed.

    Args:
        store: the parent of the domains' folders.
        domain: name of the domain.
        batch: name of the batch.
        reviewed: the mark. If the batch has it already, nothing is published.

    Returns:
        The newest manifest of the domain.

    Raises:
        DataError: there is no such domain, or it has no such batch.
        StorageError: the store cannot be read or written.
    """

    def marked(newest: Manifest) -> Parts | None:
        if _known(store, newest, batch).reviewed == reviewed:
            return None
        batches = dict(newest.contract["batches"])
        batches[batch] = {**batches[batch], "reviewed": reviewed}
        return list(newest.shards), newest.samples.to_pylist(), {**newest.contract, "batches": batches}

    return _published(store, domain, marked)


def retract(store: Store, domain: str, batch: str) -> Manifest:
    """Publish the newest state of a domain without the samples of a batch. No byte is deleted.

    If the batch was added last, the state has the fingerprint that the domain had before. Arguments and errors
    are those of `set_reviewed`. To erase people for good, use `upkeep.forget`.
    """

    def without(newest: Manifest) -> Parts | None:
        _known(store, newest, batch)
        rows = newest.samples.to_pylist()
        kept = [row for row in rows if row.get("batch", "") != batch]
        names = {row["shard"] for row in kept}
        if not names:
            raise DataError(
                f"domain {domain} under {store.url} has no samples besides those of batch {batch}",
                "leave the domain out of data.sources instead",
            )
        contract = dict(newest.contract)
        contract["batches"] = {name: facts for name, facts in contract["batches"].items() if name != batch}
        if not contract["batches"]:
            del contract["batches"]
        return [shard for shard in newest.shards if shard.name in names], kept, contract

    return _published(store, domain, without)


def require_usable(batch: Batch) -> None:
    """Raise a DataError if a batch has no supplier, or a name that is not usable in names of samples."""
    if not _NAME.fullmatch(batch.name):
        raise DataError(
            f"'{batch.name}' is not a valid name of a batch",
            "use up to 24 letters, digits, '_' and '-', and begin with a letter or a digit",
        )
    if not batch.supplier.strip():
        raise DataError(f"batch {batch.name} has no supplier", "say who delivered it, with --supplier WHO")


def name_taken(domain: str, known: Batch) -> DataError:
    """Return the error for a batch whose name is that of a batch with other samples."""
    return DataError(
        f"domain {domain} has a batch {known.name} already, with other samples (from {known.supplier}, added "
        f"{known.time})",
        "give the new delivery another name, or first take the old one out: "
        f"rfmeta shards retract PREFIX {domain} {known.name}",
    )


def _published(store: Store, domain: str, change: Callable[[Manifest], Parts | None]) -> Manifest:
    """Publish what `change` makes of the newest state; None means that nothing is to be changed.

    If another process publishes first, `change` is called again with the state that it published.
    """
    folder = store.sub(domain)
    while True:
        # List before opening: if a version is published in between, creating the next one fails, and we repeat.
        manifests = versions(store, domain)
        newest = Manifest.open(store, domain)
        parts = change(newest)
        if parts is None:
            return newest
        shards, rows, contract = parts
        shards.sort(key=lambda shard: shard.name)
        # Every row gets every optional column, so that a state does not depend on the columns of earlier ones.
        rows = [{**dict.fromkeys(OPTIONAL, ""), **row} for row in rows]
        order = {shard.name: position for position, shard in enumerate(shards)}
        rows.sort(key=lambda row: order[row["shard"]])  # a stable sort: samples keep their order in a shard
        name, side = next_version(manifests), min(row["width"] for row in rows)
        try:
            put(folder, name, domain, shards, rows, image_size=side, contract=contract)
        except AlreadyExistsError:
            continue
        return parse(folder, domain, name)


def _first_number(batch: str) -> int:
    """Return the number of a batch's first shards. It depends on the name alone, not on the domain.

    Shards of two batches may have the same number. Their names differ all the same, by the hash of the content.
    """
    return _FIRST + int.from_bytes(hashlib.sha256(batch.encode()).digest()[:4], "big") % _NUMBERS


def _require_stored(store: Store, newest: Manifest, batch: str, new: Iterable[Shard]) -> None:
    # `forget` and `clean` delete shards that no manifest names yet: those with the person, or all old ones.
    there = set(store.sub(newest.domain).list())
    if any(shard.name not in there for shard in new):
        raise DataError(
            f"shards of batch {batch} were deleted while it was added to domain {newest.domain}",
            "wait until no `rfmeta shards forget` or `clean` is at work there, and give the command again",
        )


def _is_there(newest: Manifest, delivery: Delivery) -> bool:
    """Return True if the state has this batch already. Raise a DataError if it has another one of its name."""
    known = batches_of(newest).get(delivery.batch)
    if known is None:
        return False
    if known.sha256 == delivery.sha256:
        return True
    raise name_taken(newest.domain, known)


def _known(store: Store, newest: Manifest, batch: str) -> Batch:
    known = batches_of(newest)
    if batch in known:
        return known[batch]
    where = f"domain {newest.domain} under {store.url}"
    there = f"; it has {', '.join(known)}" if known else ""
    raise DataError(
        f"{where} has no batch '{batch}'{there}",
        f"check the name: rfmeta shards batches {store.url}",
    )
