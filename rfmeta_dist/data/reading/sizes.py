"""Check that the crops of a domain are large enough for what is to be cut from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    from rfmeta_dist.core.patches import Patches
    from rfmeta_dist.data.shards.manifest import Head

STEP = 32  # data.image_size is a multiple of it


def require_size(head: Head, image_size: int, patches: Patches | None = None) -> None:
    """Check that the images of a domain are stored at least as large as they are wanted.

    An enlarged image is blurred as no crop of the other domains is, which would tell the domains apart.

    Args:
        head: of the domain.
        image_size: side of the wanted images in pixels.
        patches: how patches are cut; None for whole faces.

    Raises:
        DataError: the domain holds smaller ones.
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
