"""Split the bytes of a shard into its encoded samples, and check the members' names and hashes.

The tar is parsed here instead of with Python's tarfile, because this parser accepts only what shards may
contain, and takes a fifth of the time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.manifest import Row

BLOCK = 512
RESTORE = "restore it from a backup, or ingest the domain again"
Members = dict[str, bytes]  # the files of one sample, by ending
# Members with other names raise an error: other endings could carry code, and other names could lead to other
# folders.
_MEMBER = re.compile(r"[A-Za-z0-9_-]+\.(jpg|png|depth\.png|full\.png|json)")


@dataclass(frozen=True)
class Packed:
    """One encoded sample.

    Attributes:
        row: its row of the manifest.
        image: JPEG or PNG.
        depth: PNG, 32×32.
        full_depth: PNG, 256×256, or None if the domain does not store it. It has no hash of its own; the hash
            of the shard covers it.
    """

    row: Row
    image: bytes
    depth: bytes
    full_depth: bytes | None = None


def unpack(
    data: bytes, rows: Sequence[Row], where: str, *, known: bool = False, some: bool = False
) -> list[Packed]:
    """Split a shard into its samples, which must be those of the manifest, in the same order.

    Args:
        data: the bytes of the tar.
        rows: the shard's rows of the manifest.
        where: name of the shard in errors.
        known: True if the shard's SHA-256 has been checked already; the members' hashes are then not checked
            again.
        some: True if the rows are some of the shard's; the other samples are left out.

    Raises:
        DataError: the tar is damaged, or a member or sample differs from the manifest.
    """
    try:
        groups = _grouped(_members(data, where))
    except ValueError as error:
        raise DataError(f"shard {where} is damaged: {error}", RESTORE) from error
    if some:
        wanted = {row["key"] for row in rows}
        groups = [group for group in groups if group[0] in wanted]
    if [key for key, _ in groups] != [row["key"] for row in rows]:
        raise DataError(
            f"shard {where} holds {len(groups)} samples that are not the {len(rows)} that the manifest lists, "
            "so it was cut short or changed",
            RESTORE,
        )
    return [_packed(group, row, where, known) for (_, group), row in zip(groups, rows, strict=True)]


def _grouped(members: Iterable[tuple[str, bytes]]) -> list[tuple[str, Members]]:
    """Group consecutive files with the same name up to the first dot to samples, as WebDataset does.

    Raises:
        ValueError: a sample has two files of the same name.
    """
    groups: list[tuple[str, Members]] = []
    for name, content in members:
        key, _, ending = name.partition(".")
        if not groups or groups[-1][0] != key:
            groups.append((key, {}))
        sample = groups[-1][1]
        if ending in sample:
            raise ValueError(f"it contains {name} twice")
        sample[ending] = content
    return groups


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files in a USTAR tar.

    Raises:
        ValueError: the tar is damaged.
        DataError: the tar contains a member that does not belong in a shard.
    """
    at = 0
    while (header := data[at : at + BLOCK]) != bytes(BLOCK):  # a block of zeros ends a tar
        if len(header) < BLOCK or header[257:262] != b"ustar":
            raise ValueError("it is cut short, or not a tar file")
        # The checksum is the sum of all bytes of the header, with spaces in place of the checksum itself.
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
            raise ValueError(f"it is cut short within {name}")
        yield name, data[begin:end]
        at = end + -size % BLOCK


def _octal(field: bytes) -> int:
    """Parse a number of a header. A sign is refused, because a negative size could cause an endless loop."""
    digits = field.rstrip(b"\0 ")
    if not digits.isdigit():
        raise ValueError("the size or checksum in a header is not a number")
    return int(digits, 8)


def _packed(group: Members, row: Row, where: str, known: bool) -> Packed:
    members = {"image": row["image_ext"], "depth": "depth.png", "label": "json"}
    for part, ending in members.items():
        content = group.get(ending)
        if content is None or not (known or hashlib.sha256(content).digest() == row[f"sha256_{part}"]):
            raise DataError(
                f"sample {row['key']} in shard {where}: its {part} is missing or does not match the manifest",
                RESTORE,
            )
    return Packed(row, group[row["image_ext"]], group["depth.png"], group.get("full.png"))
