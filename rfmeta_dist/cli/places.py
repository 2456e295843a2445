"""Find the folder and the name of a file that a user named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rfmeta_dist.storage.store import Store


def place_of(path: Path | str, wanted: str) -> tuple[Store, str]:
    """Return the folder and the name of a file that a user named by a path or an s3:// URL.

    Args:
        path: what the user gave.
        wanted: what to give instead of a folder, in words.

    Raises:
        ConfigError: the path is empty or that of a folder.
    """
    from rfmeta_dist.storage.store import open_store

    text = str(path)
    if isinstance(path, Path) and text.startswith("s3:/"):  # a Path joins the two slashes of a URL
        text = f"s3://{text.removeprefix('s3:/')}"
    folder, slash, name = text.rpartition("/")
    parent = open_store(folder or (slash or "."))
    local = not parent.url.startswith("s3://")
    if name in ("", ".", "..") or (local and Path(parent.url, name).is_dir()):
        what = f"{text} is a folder, not a file" if text else "the path is empty"
        raise ConfigError(what, f"give the path of {wanted}")
    return parent, name
