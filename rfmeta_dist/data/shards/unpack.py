"""The bytes of a shard → the encoded samples in it, each member known and each hash checked.

The walk over the tar is our own: it accepts only what shards are made of, and costs a fifth of tarfile's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import Row

# Only these are ever looked at: other endings could carry code, other names could climb out.
BLOCK = 512
RESTORE = "restore it or ingest the domain again"
Members = dict[str, bytes]  # the files of one sample, by ending
_MEMBER = re.compile(r"[A-Za-z0-9_-]+\.(jpg|png|depth\.png|full\.png|json)")


@dataclass(frozen=True)
class Packed:
    """One sample, still encoded.

    Attributes:
        row: its row of the manifest.
        image: JPEG or PNG.
        depth: PNG, 32×32.
        full_depth: PNG, 256×256, if the domain keeps it; covered by the shard's hash alone.
    """

    row: Row
    image: bytes
    depth: bytes
    full_depth: bytes | None = None


def unpack(data: bytes, rows: Sequence[Row], where: str, *, known: bool = False) -> list[Packed]:
    """Split a shard into its samples, which must be exactly those of the manifest, in its order.

    Args:
        data: the tar.
        rows: its rows of the manifest.
        where: names the shard in errors.
        known: whether the whole was found to be what the manifest describes; that vouches for the parts.

    Raises:
        DataError: the tar is damaged, or a member or sample is not as the manifest says.
    """
    try:
        groups = _grouped(_members(data, where))
    except ValueError as error:
        raise DataError(f"shard {where} is damaged: {error}", RESTORE) from error
    if [key for key, _ in groups] != [row["key"] for row in rows]:
        raise DataError(
            f"shard {where} holds {len(groups)} samples that are not the {len(rows)} that the manifest lists",
            "the shard was cut or changed: restore it or ingest the domain again",
        )
    return [_packed(group, row, where, known) for (_, group), row in zip(groups, rows, strict=True)]


def _grouped(members: Iterable[tuple[str, bytes]]) -> list[tuple[str, Members]]:
    """Samples as WebDataset has them: consecutive files of one name up to the first dot, by their endings.

    Raises:
        ValueError: a file is there twice in a sample.
    """
    groups: list[tuple[str, Members]] = []
    for name, content in members:
        key, _, ending = name.partition(".")
        if not groups or groups[-1][0] != key:
            groups.append((key, {}))
        sample = groups[-1][1]
        if ending in sample:
            raise ValueError(f"it holds {name} twice")
        sample[ending] = content
    return groups


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """The names and contents of the files in a USTAR tar.

    Raises:
        ValueError: the tar is damaged.
        DataError: it holds anything that does not belong in a shard.
    """
    at = 0
    while (header := data[at : at + BLOCK]) != bytes(BLOCK):  # which ends a tar
        if len(header) < BLOCK or header[257:262] != b"ustar":
            raise ValueError("it is cut, or not a tar")
        # Each byte counts, with spaces in place of the sum itself.
        if sum(header) - sum(header[148:156]) + 8 * ord(" ") != _octal(header[148:156]):
            raise ValueError("a header does not match its checksum")
        name = header[:100].rstrip(b"\0").decode(errors="replace")
        if header[156:157] != b"0" or header[345] or not _MEMBER.fullmatch(name):
            raise DataError(
                f"shard {where} holds '{name}', which does not belong in a shard",
                "do not use this data: it was not written by rfmeta",
            )
        size = _octal(header[124:136])
        begin, end = at + BLOCK, at + BLOCK + size
        if end > len(data):
            raise ValueError(f"it is cut within {name}")
        yield name, data[begin:end]
        at = end + -size % BLOCK


def _octal(field: bytes) -> int:
    """A number in a header; a sign, which `int` would take, could lead the walk back to where it was."""
    digits = field.rstrip(b"\0 ")
    if not digits.isdigit():
        raise ValueError("a header holds something other than a number")
    return int(digits, 8)


def _packed(group: Members, row: Row, where: str, known: bool) -> Packed:
    members = {"image": row["image_ext"], "depth": "depth.png", "label": "json"}
    for part, ending in members.items():
        content = group.get(ending)
        if content is None or not (known or hashlib.sha256(content).digest() == row[f"sha256_{part}"]):
            raise DataError(
                f"sample {row['key']} in shard {where}: its {part} does not match the manifest",
                RESTORE,
            )
    return Packed(row, group[row["image_ext"]], group["depth.png"], group.get("full.png"))
