"""Pack samples into shards and write the manifest: checked, reproducible, visible only when complete.

The bytes of a tar depend on its samples alone: the format is USTAR, members are sorted, and there are no times
or owners. Shards and tables are named by their hashes, and the manifest is written last. So a reader sees
either the complete new state or the state before it, even if packing is interrupted or two processes pack at
once.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rfmeta_dist.core.about import from_text
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample, Split
from rfmeta_dist.data.shards.check import Checker
from rfmeta_dist.data.shards.decode import image_size
from rfmeta_dist.data.shards.manifest import CLASSES, Manifest, Row, Shard
from rfmeta_dist.data.shards.publish import json_bytes, publish
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store

SHARD_BYTES = 16 << 20


def pack(
    samples: Iterable[Sample],
    store: Store,
    domain: str,
    *,
    contract: Mapping[str, Any],
    shard_bytes: int = SHARD_BYTES,
    native: bool = False,
) -> Manifest:
    """Write a domain's samples as shards, and its manifest.

    The same samples in the same order give the same bytes. If the domain's newest manifest already describes
    these samples, nothing changes. Memory holds one shard for each split and class.

    Args:
        samples: samples of this domain alone; `Checker.check` says what is required of them.
        store: the parent of the domains' folders.
        domain: name of the domain; letters, digits, `_` and `-`.
        contract: how the data was made (generator, seed, quality, …), as values that JSON can represent.
        shard_bytes: a shard is closed when its images and depth maps reach this size in bytes.
        native: accept images of different sizes; the manifest's `image_size` is then the side of the smallest.

    Returns:
        The manifest, as a reader opens it.

    Raises:
        DataError: a sample cannot be packed, there are no samples, or the domain has batches, which would be
            lost. The domain's newest state then stays as it was.
        StorageError: the store cannot be written.
    """
    json_bytes(contract)  # fail now, before the work, if JSON cannot represent the contract
    require_put_if_absent(store)
    checker = Checker(domain, native=native)
    shards, rows = write_shards(checker.checked(samples), store.sub(domain), shard_bytes)
    if not shards:
        raise DataError(
            f"there are no samples for domain '{domain}', so no shards were written",
            "check that the source has recordings with faces",
        )
    side = checker.image_size
    return publish(store, domain, shards, rows, image_size=side, contract=contract)


def write_shards(
    samples: Iterable[Sample], folder: Store, shard_bytes: int, first: int = 0
) -> tuple[list[Shard], list[Row]]:
    """Write samples as shards. No reader sees them until a manifest names them.

    Args:
        samples: samples that `Checker.check` has accepted.
        folder: the domain's folder.
        shard_bytes: a shard is closed when its images and depth maps reach this size in bytes.
        first: number of the first shard of each split and class, 0 to 999,999.

    Returns:
        The shards, sorted by name, and the row of each sample in the table of samples, in that order.

    Raises:
        StorageError: the store cannot be written.
    """
    writer = _Writer(folder, shard_bytes, first)
    for sample in samples:
        writer.add(sample)
    return writer.finish()


def identity(sample: Sample) -> bytes:
    """Return a SHA-256 over everything that is stored of a sample: pixels, depth maps, key and description."""
    parts = (_members(sample) | {"key": sample.key.encode()}).items()
    hashes = (name.encode() + hashlib.sha256(part).digest() for name, part in sorted(parts))
    return hashlib.sha256(b"".join(hashes)).digest()


class _Writer:
    """Collect samples by split and class, and write each shard when it is full."""

    def __init__(self, folder: Store, shard_bytes: int, first: int) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._first = first
        self._filling: dict[tuple[Split, int], list[Sample]] = {}
        self._bytes: dict[tuple[Split, int], int] = {}
        self._shards: list[Shard] = []
        self._rows: dict[str, list[Row]] = {}

    def add(self, sample: Sample) -> None:
        """Add a sample to the shard of its split and class, and write that shard if it is full."""
        stream = (sample.split, sample.label)
        self._filling.setdefault(stream, []).append(sample)
        size = self._bytes.get(stream, 0) + len(sample.image) + len(sample.depth)
        size += len(sample.full_depth or b"")
        self._bytes[stream] = size
        if size >= self._shard_bytes:
            self._write(stream)

    def finish(self) -> tuple[list[Shard], list[Row]]:
        """Write the shards that are not full. Return all shards sorted by name, and the rows in that order."""
        for stream in list(self._filling):
            self._write(stream)
        shards = sorted(self._shards, key=lambda shard: shard.name)
        return shards, [row for shard in shards for row in self._rows[shard.name]]

    def _write(self, stream: tuple[Split, int]) -> None:
        split, label = stream
        samples = sorted(self._filling.pop(stream), key=lambda sample: sample.key)
        del self._bytes[stream]
        number = self._first + sum((shard.split, shard.label) == stream for shard in self._shards)
        data, spans = _tar(samples)
        digest = hashlib.sha256(data).hexdigest()
        name = f"{split}/{CLASSES[label]}/{number:06d}-{digest[:12]}.tar"
        self._folder.write(name, data)
        self._shards.append(Shard(name, split, label, len(samples), len(data), digest))
        self._rows[name] = [
            _row(sample) | {"shard": name, "index_in_shard": index, **span}
            for index, (sample, span) in enumerate(zip(samples, spans, strict=True))
        ]


def _tar(samples: Sequence[Sample]) -> tuple[bytes, list[dict[str, int]]]:
    """Return a tar of the samples, and the offset and length of each sample in it."""
    file = io.BytesIO()
    spans = []
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            offset = file.tell()
            for ending, content in sorted(_members(sample).items()):
                member = tarfile.TarInfo(f"{sample.key}.{ending}")  # owner 0, mode 644, time 0
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            spans.append({"offset": offset, "length": file.tell() - offset})
    return file.getvalue(), spans


def _members(sample: Sample) -> dict[str, bytes]:
    """Return the contents of a sample's files, by ending."""
    members = {sample.image_ext: sample.image, "depth.png": sample.depth, "json": _described(sample)}
    return members | ({"full.png": sample.full_depth} if sample.full_depth else {})


def _described(sample: Sample) -> bytes:
    """Return the JSON file of a sample, which describes it so that a shard can be used without its manifest."""
    names = ("domain", "label", "attack_type", "subject", "video", "frame", "split")
    said = {name: getattr(sample, name) for name in names}
    said |= {"protocols": list(sample.protocols)} if sample.protocols else {}
    return json_bytes(said | ({"about": from_text(sample.about)} if sample.about else {}))


def _row(sample: Sample) -> dict[str, Any]:
    """Return the sample's row of the manifest, without the columns for its place in a shard."""
    width, height = image_size(sample.image, sample.image_ext)
    parts = {"image": sample.image, "depth": sample.depth, "label": _described(sample)}
    return {
        "key": sample.key,
        "domain": sample.domain,
        "attack_type": sample.attack_type,
        "split": sample.split,
        "image_ext": sample.image_ext,
        "label": sample.label,
        "subject_id": sample.subject,
        "video_id": sample.video,
        "frame_index": sample.frame,
        "image_bytes": len(sample.image),
        "width": width,
        "height": height,
        "protocols": " ".join(sample.protocols),
        "about": sample.about,
        **{f"sha256_{name}": hashlib.sha256(part).digest() for name, part in parts.items()},
    }
