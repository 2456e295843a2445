"""Check that the crops of a domain are at least as large as the images or patches that a run needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    from rfmeta_dist.core.patches import Patches
    from rfmeta_dist.data.shards.manifest import Head

STEP = 32  # data.image_size is a multiple of it


def require_size(head: Head, image_size: int, patches: Patches | None = None) -> None:
    """Check that the stored images of a domain are at least as large as the images that are wanted.

    Enlarging images would blur them, and a network could tell the domain from the others by the blur.

    Args:
        head: the head of the domain's manifest.
        image_size: side of the wanted images in pixels.
        patches: how patches are cut; None for whole faces.

    Raises:
        DataError: the domain has smaller images.
    """
    if head.image_size >= image_size:
        return
    fitting = head.image_size // STEP * STEP
    smaller = f"set data.image_size={fitting} for a new run, or " if fitting else ""
    native = f"ingest the domain again with --size native --smallest {image_size}"
    raise DataError(
        f"domain {head.domain} holds crops of {head.image_size} pixels, which are smaller than "
        f"{'a patch of ' if patches else ''}data.image_size={image_size}",
        smaller + (native if patches else "ingest larger crops"),
    )
