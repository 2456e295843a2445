"""Choose the training frames of a domain, compute their features, and keep these for other runs.

Which frames of a domain are taken depends on its manifest alone, and so do their features, apart from the
extractor. Runs with other targets and other seeds therefore share them:

.features/{domain}-{key}-{sha256[:12]}.safetensors    beside the runs' folders; key hashes all they depend on
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_arrays
from safetensors.numpy import save as array_bytes

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core import seeds
from rfmeta_dist.core.digests import digest
from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.storage.store import Store
from rfmeta_dist.texture.api import Extractor, extractor

FOLDER = ".features"
VERSION = 1  # of the features: another number makes all of them be computed again
BATCH = 64  # crops that are decoded and held at once
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Order:
    """What is computed of which frames.

    Attributes:
        rule: class of the extractor, as `package.module:Class`.
        settings: what it is made with.
        image_size: side of the crops that it is given.
        frames: largest number of frames of each class of a domain.
        cache_gb: gigabytes of this machine's disk for copies of shards; no feature depends on it.
    """

    rule: str
    settings: Mapping[str, Any]
    image_size: int
    frames: int
    cache_gb: float

    @classmethod
    def of(cls, config: Config) -> Order:
        """Return the order of a run."""
        made = extractor(config.method.facts.rule, config.method.model_dump(mode="json"))
        data = config.data
        return cls(
            config.method.facts.rule, made.settings, data.image_size, config.method.fitted_frames, data.cache_gb
        )

    @property
    def extractor(self) -> Extractor:
        """Return the extractor."""
        return extractor(self.rule, dict(self.settings))

    def name(self, manifest: Manifest) -> str:
        """Return the beginning of the name under which the features of a domain are kept."""
        depends = {
            **asdict(self),
            "manifest": manifest.fingerprint,
            "part": manifest.protocol,
            "version": VERSION,
        }
        del depends["cache_gb"]
        return f"{manifest.domain}-{digest(json.dumps(depends, sort_keys=True).encode())[:16]}-"


@dataclass(frozen=True)
class Frame:
    """A training frame of a domain: the key of the sample, and what the manifest says about it."""

    key: str
    label: int
    video: str
    attack_type: str


def chosen(manifest: Manifest, most: int) -> dict[int, list[Frame]]:
    """Choose the frames of a domain's training split, at most `most` of each class, by label.

    Videos take turns in a random order, and give their frames in a random order. So the first n frames are what
    would be chosen for `most` = n, and come from as many videos as possible.
    """
    columns = ["key", "label", "video_id", "attack_type", "split"]
    videos: dict[int, dict[str, list[Frame]]] = {1: {}, 0: {}}
    for row in manifest.samples.select(columns).to_pylist():
        if row["split"] == "train":
            frame = Frame(row["key"], row["label"], row["video_id"], row["attack_type"])
            videos[frame.label].setdefault(frame.video, []).append(frame)
    return {
        label: list(islice(_in_turn(_shuffled(list(found.values()), manifest.domain, label)), most))
        for label, found in videos.items()
    }


def _shuffled(videos: Sequence[list[Frame]], domain: str, label: int) -> list[list[Frame]]:
    order = seeds.permutation(len(videos), "features", domain, label).tolist()
    return [
        [
            videos[i][j]
            for j in seeds.permutation(len(videos[i]), "features", domain, videos[i][0].video).tolist()
        ]
        for i in order
    ]


def _in_turn(videos: Iterable[list[Frame]]) -> Iterator[Frame]:
    """Yield the first frame of each video, then the second of each, and so on."""
    return (frame for frames in zip_longest(*videos) for frame in frames if frame is not None)


def flat(frames: Mapping[int, Sequence[Frame]]) -> list[Frame]:
    """Return the frames of both classes, live ones first. Features are kept in this order."""
    return [*frames[1], *frames[0]]


def wanted(manifest: Manifest, most: int) -> list[tuple[Shard, frozenset[str]]]:
    """Return the shards that hold chosen frames of a domain, each with the keys of those frames."""
    keys = {frame.key for frame in flat(chosen(manifest, most))}
    found = []
    for shard in manifest.shards:
        if shard.split == "train":
            here = manifest.samples["key"].slice(shard.first, shard.samples).to_pylist()
            if some := keys.intersection(here):
                found.append((shard, frozenset(some)))
    return found


def of_shard(
    order: Order, store: Store, manifest: Manifest, shard: Shard, keys: frozenset[str]
) -> tuple[list[str], Features]:
    """Compute the features of some samples of a shard. Return their keys and a row of features for each.

    Raises:
        DataError: the shard or a sample is missing or damaged.
        StorageError: the store cannot be read.
    """
    features = order.extractor
    found: list[str] = []
    rows: list[Features] = []
    batches = scan(
        store,
        replace(manifest, shards=(shard,)),
        shard.split,
        image_size=order.image_size,
        batch=BATCH,
        cache=Cache.of_node(store.url, order.cache_gb),
        only=keys,
    )
    for batch in batches:
        found += batch.keys
        rows.append(features.features(batch.image).astype(np.float32))
    return found, np.concatenate([np.empty((0, features.length), np.float32), *rows])


Parts = Iterator[tuple[list[str], Features]]


def here(order: Order, sources: Sources, domain: str) -> Parts:
    """Compute the features of a domain in this process. Yield keys and features of each shard, in any order."""
    manifest = sources.manifests[domain]
    for shard, keys in wanted(manifest, order.frames):
        yield of_shard(order, sources.store, manifest, shard, keys)


def arranged(order: Order, manifest: Manifest, parts: Parts) -> Features:
    """Put the features of a domain's frames in the order of `flat`.

    Raises:
        ValueError: features of a frame are missing.
    """
    keys: list[str] = []
    rows: list[Features] = []
    for some, features in parts:
        keys += some
        rows.append(features)
    place = {key: row for row, key in enumerate(keys)}
    index = [place[frame.key] for frame in flat(chosen(manifest, order.frames))]
    found: Features = np.concatenate(rows)[index]
    return found


class Kept:
    """Features that are kept in a folder.

    Args:
        folder: the folder that holds the runs; None to keep nothing.
    """

    def __init__(self, folder: Store | None) -> None:
        self._folder = None if folder is None else folder.sub(FOLDER)

    def read(self, order: Order, manifest: Manifest) -> Features | None:
        """Return the features of a domain; None if they are not kept, or are damaged.

        Raises:
            StorageError: the folder cannot be read.
        """
        start = order.name(manifest)
        for name in self._folder.list() if self._folder else []:
            if name.startswith(start) and self._folder:
                data = self._folder.read(name)
                if digest(data)[:12] == name.removeprefix(start).partition(".")[0]:
                    return _parsed(data)
        return None

    def write(self, order: Order, manifest: Manifest, features: Features) -> None:
        """Keep the features of a domain.

        Raises:
            StorageError: the folder cannot be written.
        """
        if self._folder is not None:
            data = array_bytes({"features": np.ascontiguousarray(features)})
            self._folder.write(f"{order.name(manifest)}{digest(data)[:12]}.safetensors", data)


def _parsed(data: bytes) -> Features | None:
    try:
        return parse_arrays(data)["features"]
    except (SafetensorError, KeyError):
        return None


def lossy(manifests: Sequence[Manifest]) -> list[str]:
    """Return a warning about the domains of which crops are stored as JPEG; [] if there are none."""
    named = [m.domain for m in manifests if m.samples["image_ext"].unique().to_pylist() != ["png"]]
    if not named:
        return []
    return [
        f"the crops of {', '.join(named)} are stored as JPEG, which removes part of the fine texture that the "
        "features measure; to keep it, ingest the domains again with --lossless"
    ]
