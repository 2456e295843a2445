"""Say what a deployed model takes: the input contract of a deployment package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rfmeta_dist.detectors.api import View
from rfmeta_dist.ingest.models import SHA256

if TYPE_CHECKING:
    from rfmeta_dist.data.shards.manifest import Manifest


def contract(view: View, sources: Sequence[Manifest]) -> dict[str, Any]:
    """Return what a model takes.

    Args:
        view: the trained model's view.
        sources: the manifests of the sources; empty if they cannot be read.

    Returns:
        `size`: [height, width] of a crop, or null if crops are squares of any side, the same for all crops of
        a batch; `smallest`: the smallest side; `resize`: `area` if a crop that was cut by the rule is reduced
        to `size` by area averaging, or null if it keeps its size; `color` and `dtype`; `crop`: the rule by
        which the sources' faces were cut out, or null; `detector`: SHA-256 of the face models by name.
    """
    side = view.image_size
    rule = view.crop or {}
    if view.patches is not None:
        fixed = rule.get("size", _stored(sources))
        size = [fixed, fixed] if isinstance(fixed, int) else None
    else:
        size = [side, side]
    return {
        "size": size,
        "smallest": side,
        "resize": None if view.patches else "area",
        "color": "RGB",
        "dtype": "uint8",
        "crop": None if view.crop is None else dict(view.crop),
        "detector": dict(SHA256),
    }


def _stored(sources: Sequence[Manifest]) -> int | None:
    """Return the side in pixels that all stored crops have; None if they have several sizes."""
    sides = {side for manifest in sources for side in manifest.samples["width"].unique().to_pylist()}
    return sides.pop() if len(sides) == 1 else None
