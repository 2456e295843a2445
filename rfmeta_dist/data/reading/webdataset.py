"""Open a domain's shards as a `webdataset` pipeline, for training with code outside this package.

Training in this package reads the same shards without webdataset (data/reading/stream.py), because it needs
balanced batches and a start at any step, and because webdataset imports torch, which readers do not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.storage.store import Store, open_store

if TYPE_CHECKING:
    from webdataset import DataPipeline

# Files with other endings are dropped, because webdataset's decoders execute code from some, such as pyd.
ENDINGS = frozenset({"jpg", "png", "depth.png", "full.png", "json"})


def as_webdataset(prefix: str, domain: str, split: Split | None = None) -> DataPipeline:
    """Open a split of a domain, or all of it, as a webdataset pipeline over its shards.

    Each sample is a dict of bytes: `jpg` or `png` is the face crop, `depth.png` its depth map, `json` the
    labels, and `full.png` the large depth map where the domain keeps one; `__key__` is the sample's key,
    `__url__` its shard. Samples come in the manifest's order. Shards are divided among the processes of
    `torch.distributed` and the workers of a DataLoader. Append stages as usual, such as
    `webdataset.shuffle(1000)`.

    Each shard is read whole and compared with the manifest's SHA-256 before its first sample is given.

    Args:
        prefix: `s3://` URL or folder that holds the domain, as in `data.prefix`.
        domain: name of the domain.
        split: `train`, `validation` or `test`; None for all splits.

    Raises:
        DataError: there is no such domain or split; while iterating: a shard is missing or damaged.
        StorageError: the store cannot be read.
    """
    import webdataset

    store = open_store(prefix)
    folder = store.sub(domain)
    manifest = Manifest.open(store, domain)
    shards = {f"{folder.url}/{s.name}": s for s in manifest.shards if split in (None, s.split)}
    if not shards:
        found = ", ".join(s for s in SPLITS if any(shard.split == s for shard in manifest.shards))
        raise DataError(f"domain {domain} has no split '{split}'", f"use one of its splits: {found}")
    return webdataset.DataPipeline(
        webdataset.SimpleShardList(list(shards)),
        webdataset.split_by_node,
        webdataset.split_by_worker,
        partial(_opened, folder, shards),
        webdataset.tariterators.tar_file_expander,
        partial(webdataset.tariterators.group_by_keys, suffixes=ENDINGS),
    )


def _opened(
    folder: Store, shards: Mapping[str, Shard], wanted: Iterable[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Read shards and check their hashes. This stage replaces webdataset's own, which checks no hashes."""
    for item in wanted:
        yield {**item, "stream": BytesIO(fetch(folder, shards[item["url"]]))}
