"""Draw a contact sheet of domains: images beside their depth maps, one row for each attack type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.shards.decode import decode, decode_depth
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.unpack import Packed, unpack
from rfmeta_dist.storage.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SIDE = 128  # of an image on the sheet
_ACROSS = 8  # samples side by side; more go on in the next row
_LABEL, _GAP = 14, 4
_GROUND, _INK = 24, 220


def contact_sheet(store: Store, manifests: Iterable[Manifest], per_type: int) -> bytes:
    """Paint a sheet of samples that are evenly spaced in the manifest, for each attack type.

    Only the shards that hold a sample of the sheet are read.

    Args:
        store: the parent of the domains' folders.
        manifests: the manifests of the domains to show, one domain below the other.
        per_type: number of samples to show of each attack type and of live faces, or all if there are fewer.

    Returns:
        A PNG: rows for each domain and type, live first; each image with its stored depth map beside it and its
        key above.

    Raises:
        DataError: a shard or sample is damaged, or there is no sample to show.
        StorageError: the store cannot be read.
    """
    import cv2
    import numpy as np

    rows = [row for manifest in manifests for row in _rows(store, manifest, per_type)]
    if not rows:
        raise DataError(
            f"the chosen domains under {store.url} have no samples to draw",
            "choose a domain that has samples: `rfmeta shards ls` lists the domains",
        )
    width = max(row.shape[1] for row in rows)
    sheet = np.vstack(
        [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0)), constant_values=_GROUND) for r in rows]
    )
    return bytes(cv2.imencode(".png", sheet[..., ::-1])[1])


def _rows(store: Store, manifest: Manifest, per_type: int) -> Iterable[NDArray[np.uint8]]:
    import numpy as np

    types = manifest.samples["attack_type"].to_pylist()
    chosen = {}
    for kind in sorted(set(types), key=lambda kind: (kind != LIVE, kind)):
        members = [index for index, found in enumerate(types) if found == kind]
        count = min(per_type, len(members))
        chosen[kind] = [members[number * len(members) // count] for number in range(count)]
    samples = _read(store, manifest, {index for found in chosen.values() for index in found})
    for kind, found in chosen.items():
        for first in range(0, len(found), _ACROSS):
            part = [samples[index] for index in found[first : first + _ACROSS]]
            yield np.hstack([_cell(sample, f"{kind} {sample.row['key']}") for sample in part])


def _read(store: Store, manifest: Manifest, wanted: set[int]) -> dict[int, Packed]:
    folder = store.sub(manifest.domain)
    samples: dict[int, Packed] = {}
    for shard in manifest.shards:
        inside = wanted & set(range(shard.first, shard.first + shard.samples))
        if inside:
            found = unpack(fetch(folder, shard), manifest.rows(shard), f"{folder.url}/{shard.name}")
            samples |= {index: found[index - shard.first] for index in inside}
    return samples


def _cell(sample: Packed, label: str) -> NDArray[np.uint8]:
    import cv2
    import numpy as np

    image, _ = decode(sample, _SIDE)
    depth = decode_depth(sample.depth)  # at its stored size; `decode` would reduce it with the image
    grey = cv2.resize(depth, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    pair = np.hstack([image, np.repeat(grey[..., None], 3, axis=2)])
    cell: NDArray[np.uint8] = np.pad(pair, ((_LABEL, _GAP), (0, _GAP), (0, 0)), constant_values=_GROUND)
    cv2.putText(cell, label, (2, _LABEL - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.33, (_INK,) * 3, 1, cv2.LINE_AA)
    return cell
