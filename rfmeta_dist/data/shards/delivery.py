"""Survey the samples of a batch, and check that they can join a domain, before any byte is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.check import Checker
from rfmeta_dist.data.shards.manifest import Head, Manifest
from rfmeta_dist.data.shards.pack import identity
from rfmeta_dist.data.shards.publish import json_bytes

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Delivery:
    """The samples of a batch without their pixels.

    Attributes:
        batch: name of the batch.
        side: side of the smallest image in pixels.
        samples: the SHA-256 of each sample, by key.
        splits: the split of each subject.
        videos: the attack type of each video.
    """

    batch: str
    side: int = 0
    samples: dict[str, bytes] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    videos: dict[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Return a SHA-256 in hex over all samples. It does not depend on their order."""
        return hashlib.sha256(b"".join(self.samples[key] for key in sorted(self.samples))).hexdigest()


@dataclass(frozen=True)
class Again:
    """Samples that can be iterated as often as needed, because each iteration reads them anew.

    Attributes:
        read: returns the samples.
    """

    read: Callable[[], Iterable[Sample]]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.read())


@dataclass(frozen=True)
class Renamed:
    """Samples of a generated domain with the names that they have in a batch of another domain.

    Keys, videos and subjects of a batch carry its name, so they are not those of another delivery. Iterate as
    often as needed.

    Attributes:
        read: returns the samples under their own names.
        domain: name of the domain that they join.
        batch: name of the batch.
    """

    read: Callable[[], Iterable[Sample]]
    domain: str
    batch: str

    def __iter__(self) -> Iterator[Sample]:
        for sample in self.read():
            rest = sample.key.removeprefix(f"{sample.domain}-")
            yield replace(
                sample,
                domain=self.domain,
                key=f"{self.domain}-{self.batch}-{rest}",
                video=f"{self.batch}-{sample.video}",
                subject=f"{self.domain}-{self.batch}{sample.subject.removeprefix(sample.domain)}",
            )


def survey(samples: Iterable[Sample], domain: str, batch: str, *, native: bool) -> Delivery:
    """Read the samples of a batch once and check each of them.

    Args:
        samples: the samples.
        domain: name of the domain that they are to join.
        batch: name of the batch.
        native: accept images of different sizes.

    Raises:
        DataError: a sample cannot be packed, see `Checker.check`; or there are no samples.
    """
    found, checker = Delivery(batch), Checker(domain, native=native)
    for sample in checker.checked(samples):
        found.samples[sample.key] = identity(sample)
        found.splits[sample.subject] = sample.split
        found.videos[sample.video] = sample.attack_type
    found.side = checker.image_size
    if not found.samples:
        raise DataError(
            f"batch {batch} has no samples, so domain {domain} was not changed",
            "check that the source has recordings with faces",
        )
    return found


def require_fit(base: Manifest, delivery: Delivery, contract: Mapping[str, Any], *, native: bool) -> None:
    """Check that a batch can join a state of a domain.

    Args:
        base: the state of the domain.
        delivery: the samples of the batch.
        contract: how the batch's crops were made.
        native: True if the batch's images have different sizes.

    Raises:
        DataError: its crops were made by another rule than the domain's, or have another size; the domain has
            a sample or a video of the same name; or a person is in another split of the domain.
    """
    require_same_rule(base, delivery.batch, contract)
    if not native:
        _require_same_sizes(base, delivery)
    _require_new(base, delivery)
    _require_same_splits(base, delivery)


def surplus(base: Manifest, delivery: Delivery, most: float) -> frozenset[str]:
    """Return the videos of a batch that are to be left out, because their attack type would outweigh all else.

    With them, the domain would have more than `most` times as many videos of the attack type as of all other
    types, live included. Which videos are left out depends only on their names.

    Args:
        base: the domain without the batch.
        delivery: the samples of the batch.
        most: largest ratio of videos of a type to videos of all other types.
    """
    there = [row["attack_type"] for row in _distinct(base.samples, "attack_type", "video_id")]
    total = len(there) + len(delivery.videos)
    left_out: set[str] = set()
    for kind in sorted(set(delivery.videos.values())):
        mine = sorted((v for v, k in delivery.videos.items() if k == kind), key=_drawn)
        before = there.count(kind)
        others = total - before - len(mine)
        if others and kind != "live":
            left_out.update(mine[max(0, int(most * others) - before) :])
    return frozenset(left_out)


def _drawn(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def require_same_rule(head: Head, batch: str, contract: Mapping[str, Any]) -> None:
    """Check that the crops of a batch are made by the rule that made those of a domain.

    Args:
        head: the state of the domain.
        batch: name of the batch.
        contract: how the batch's crops are made.

    Raises:
        DataError: size, margin or another part of the rule is different.
    """
    ours, theirs = _crop(head.contract), _crop(contract)
    different = [
        f"{name} is {theirs.get(name, 'unknown')} in the batch and {ours.get(name, 'unknown')} in the domain"
        for name in sorted(ours.keys() | theirs.keys())
        if ours.get(name) != theirs.get(name)
    ]
    if different:
        raise _unlike(head, batch, "; ".join(different))


def _require_same_sizes(base: Manifest, delivery: Delivery) -> None:
    mixed = len(_values(base.samples, "width")) > 1
    if mixed or delivery.side != base.image_size:
        size = "of different sizes" if mixed else f"{base.image_size} pixels wide"
        raise _unlike(
            base, delivery.batch, f"its crops are {delivery.side} pixels wide, those of the domain are {size}"
        )


def _unlike(head: Head, batch: str, difference: str) -> DataError:
    return DataError(
        f"batch {batch} cannot join domain {head.domain}, because their crops were made differently: "
        + difference,
        f"make the batch with the options that made domain {head.domain}, such as --size and --margin, or make "
        "a domain of its own with --domain instead of --into",
    )


def _crop(contract: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rule of the crops as JSON gives it back. Training never reads full depth maps: left out."""
    rule: dict[str, Any] = json.loads(json_bytes({"crop": contract.get("crop") or {}}))["crop"]
    return {name: value for name, value in rule.items() if name != "full_depth"}


def _values(table: pa.Table, column: str) -> set[Any]:
    return {row[column] for row in _distinct(table, column)}


def _distinct(table: pa.Table, *columns: str) -> list[dict[str, Any]]:
    """Return the distinct rows of some columns."""
    rows: list[dict[str, Any]] = (
        table.select(columns).unify_dictionaries().group_by(columns).aggregate([]).to_pylist()
    )
    return rows


def _require_new(base: Manifest, delivery: Delivery) -> None:
    for what, column, names in (
        ("sample", "key", delivery.samples.keys()),
        ("video", "video_id", delivery.videos.keys()),
    ):
        if known := sorted(names & _values(base.samples, column)):
            raise DataError(
                f"{what} {known[0]} of batch {delivery.batch} is in domain {base.domain} already "
                f"({len(known)} such name(s))",
                "leave out what the domain has already, or give the recordings or the batch another name",
            )


def _require_same_splits(base: Manifest, delivery: Delivery) -> None:
    for row in _distinct(base.samples, "subject_id", "split"):
        subject, split = row["subject_id"], row["split"]
        new = delivery.splits.get(subject, split)
        if new != split:
            raise DataError(
                f"subject {subject} is in split '{new}' of batch {delivery.batch}, but in split '{split}' of "
                f"domain {base.domain}; a person in two splits makes figures look better than they are",
                f"put the person into split '{split}' in the source, for example in the column split of "
                "labels.csv; if these are two people, leave --same-people out",
            )
