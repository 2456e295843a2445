"""The bytes of a shard → the encoded samples in it, each member known and each hash checked."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.manifest import Row

# Only these are ever looked at: other endings could carry code, other names could climb out.
_MEMBER = re.compile(r"[A-Za-z0-9_-]+\.(jpg|png|depth\.png|json)")


@dataclass(frozen=True)
class Packed:
    """One sample, still encoded.

    Attributes:
        row: its row of the manifest.
        image: JPEG or PNG.
        depth: PNG.
    """

    row: Row
    image: bytes
    depth: bytes


def unpack(data: bytes, rows: Sequence[Row], where: str) -> list[Packed]:
    """Split a shard into its samples, which must be exactly those of the manifest, in its order.

    Args:
        data: the tar.
        rows: its rows of the manifest.
        where: names the shard in errors.

    Raises:
        DataError: the tar is damaged, or a member or sample is not as the manifest says.
    """
    groups, strangers = _groups(data, where)
    if strangers:
        raise DataError(
            f"shard {where} holds '{strangers[0]}', which does not belong in a shard",
            "do not use this data: it was not written by rfmeta",
        )
    if [group["__key__"] for group in groups] != [row["key"] for row in rows]:
        raise DataError(
            f"shard {where} holds {len(groups)} samples that are not the manifest's {len(rows)}",
            "it was cut or changed: restore it or ingest the domain again",
        )
    return [_checked(group, row, where) for group, row in zip(groups, rows, strict=True)]


def _groups(data: bytes, where: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Members grouped by key, and the names of members that do not belong."""
    from webdataset.tariterators import group_by_keys, tar_file_expander

    strangers: list[str] = []

    def known(name: str) -> bool:
        fits = _MEMBER.fullmatch(name) is not None
        if not fits:
            strangers.append(name)
        return fits

    # webdataset would also unpack a compressed tar, which may grow without bound.
    if data[257:262] != b"ustar":
        raise DataError(f"shard {where} is not a tar", "restore it or ingest the domain again")
    source = [{"url": where, "stream": io.BytesIO(data)}]
    try:
        return list(group_by_keys(tar_file_expander(source, select_files=known))), strangers
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise DataError(
            f"shard {where} is damaged ({error.args[0] if error.args else error})",
            "restore it or ingest the domain again",
        ) from error


def _checked(group: Mapping[str, Any], row: Row, where: str) -> Packed:
    members = {"image": row["image_ext"], "depth": "depth.png", "label": "json"}
    for part, ending in members.items():
        content = group.get(ending)
        if content is None or hashlib.sha256(content).digest() != row[f"sha256_{part}"]:
            raise DataError(
                f"sample {row['key']} in shard {where}: its {part} is not the manifest's",
                "restore the shard or ingest the domain again",
            )
    return Packed(row, group[row["image_ext"]], group["depth.png"])
