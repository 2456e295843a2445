"""OULU-NPU: `{Train,Dev,Test}_files/{phone}_{session}_{user}_{type}.avi`, and the lists of four protocols."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path, PurePosixPath

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import eyed
from rfmeta_dist.ingest.layouts.layout import counts, read_text
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording

_SPLITS: dict[str, Split] = {"Train": "train", "Dev": "validation", "Test": "test"}
_USERS = {"Train": range(1, 21), "Dev": range(21, 36), "Test": range(36, 56)}
_TYPES = {"1": (LIVE, ""), "2": ("print", "printer-1"), "3": ("print", "printer-2")}
_TYPES |= {"4": ("replay", "display-1"), "5": ("replay", "display-2")}
_NAME = re.compile(r"(Train|Dev|Test)_files/(([1-6])_([1-3])_(\d\d)_([1-5]))\.avi")
_LIST = re.compile(r"Protocols/Protocol_([1-4])/(Train|Dev|Test)(_[1-6])?\.txt")
_ROW = re.compile(r"\s*([+-]?\d+)\s*,\s*(\d_\d_\d\d_(\d))\s*")


def _read(path: str, domain: str) -> Recording | None:
    match = _NAME.fullmatch(path)
    if not match:
        return None
    part, stem, phone, session, user, kind = match.groups()
    if int(user) not in _USERS[part]:
        return None
    attack_type, instrument = _TYPES[kind]
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{int(user)}",
        video=f"{domain}-{stem}",
        split=_SPLITS[part],
        official=_SPLITS[part],
        label=int(kind == "1"),
        attack_type=attack_type,
        device=f"phone-{phone}",
        session=session,
        condition=instrument,
        about={"medium": instrument},
    )


def _names() -> Iterator[str]:
    for part, users in _USERS.items():
        for user, phone, session, kind in product(users, range(1, 7), range(1, 4), range(1, 6)):
            yield f"{part}_files/{phone}_{session}_{user:02}_{kind}.avi"


def _protocols(root: Path, files: Sequence[str], recordings: Sequence[Recording]) -> list[Recording]:
    """Add to each recording the protocols, with fold and part, that list it: `1/train`, `3_2/validation`, …"""
    members: dict[str, set[str]] = {}
    for path in files:
        match = _LIST.fullmatch(path)
        if match:
            protocol = f"{match[1]}{match[3] or ''}/{_SPLITS[match[2]]}"
            for stem in _listed(root, path):
                members.setdefault(stem, set()).add(protocol)
    return [
        replace(recording, protocols=frozenset(members.get(PurePosixPath(recording.path).stem, ())))
        for recording in recordings
    ]


def _listed(root: Path, path: str) -> Iterator[str]:
    """Yield the videos in one list. The sign before a name is its label and must agree with the type in it."""
    for number, line in enumerate(read_text(root, path).splitlines(), 1):
        if not line.strip():
            continue
        match = _ROW.fullmatch(line)
        if not match:
            raise DataError(
                f"{path}, line {number}: {line[:40]!r} is not a label and a video such as `+1,1_1_01_1`",
                "restore the list from the data set",
            )
        if (int(match[1]) > 0) != (match[3] == "1"):
            raise DataError(
                f"{path}, line {number}: {match[2]} is type {match[3]} by its name (1 is live, the others are "
                f"attacks), but the list gives it the label {match[1]}",
                "restore the list from the data set, because the wrong label would be used in training",
            )
        yield match[2]


OULU_NPU = NamedLayout(
    name="oulu_npu",
    domain="O",
    about="OULU-NPU: 55 people, 6 phones, 3 sessions, prints and replays",
    expected=counts(train=(360, 1440), validation=(270, 1080), test=(360, 1440)),
    folders=("Train_files", "Dev_files", "Test_files"),
    read=_read,
    names=_names,
    annotations=lambda path: (path.removesuffix(".avi") + ".txt",),
    boxes=eyed,
    protocols=_protocols,
)
