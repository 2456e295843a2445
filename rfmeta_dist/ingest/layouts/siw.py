"""SiW: `{Train,Test}/{live,spoof}/{person}/{person}-{sensor}-{type}-{medium}-{session}.{mov,mp4}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import cornered_lines
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording, parts

# The data set has no validation part. The first ten training people are used, as in public protocol lists.
_VALIDATION = (3, 6, 7, 11, 14, 16, 17, 22, 28, 30)
_TYPES = {"1": LIVE, "2": "print", "3": "replay"}
# The names of some clips of four people have `.m` before their ending.
_NAME = re.compile(r"(Train|Test)/(live|spoof)/(\d{3})/(\3-(\d)-([123])-(\d)-(\d))(?:\.m)?\.(?:mov|mp4)")


def _read(path: str, domain: str) -> Recording | None:
    match = _NAME.fullmatch(path)
    if not match:
        return None
    part, folder, person, stem, sensor, kind, medium, session = match.groups()
    if (folder == "live") != (kind == "1"):
        return None
    official: Split = "train" if part == "Train" else "test"
    held_out = official == "train" and int(person) in _VALIDATION
    split: Split = "validation" if held_out else official
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{int(person)}",
        video=f"{domain}-{stem}",
        split=split,
        official=official,
        label=int(kind == "1"),
        attack_type=_TYPES[kind],
        device=f"sensor-{sensor}",
        session=session,
        condition=f"medium-{medium}",
        # Only in the name of an attack does this number stand for a medium: a printer, paper or display.
        about={} if kind == "1" else {"medium": f"{_TYPES[kind]}-{medium}"},
        protocols=parts(_protocols(_TYPES[kind], medium, tested=official == "test"), split),
    )


def _protocols(attack_type: str, medium: str, *, tested: bool) -> Iterator[str]:
    """Yield the protocols that a clip is in: `1`, which has all clips, and those that test on unseen attacks.

    `2_1` to `2_4` test the replays on one medium and train on those of the other three; `3_1` trains on prints
    and tests replays, `3_2` the other way round. Live clips are in all of them.
    """
    yield "1"
    for unseen in "1234":
        if attack_type == LIVE or (attack_type == "replay" and (medium == unseen) == tested):
            yield f"2_{unseen}"
    for fold, seen in (("3_1", "print"), ("3_2", "replay")):
        if attack_type == LIVE or (attack_type != seen) == tested:
            yield fold


def _annotations(path: str) -> tuple[str, ...]:
    stem = path.rsplit(".", 1)[0]
    return f"{stem}.face", f"{stem.removesuffix('.m')}.face"


SIW = NamedLayout(
    name="siw",
    domain="S",
    about="SiW: 165 people, two cameras, distances, poses and lights, prints and replays",
    expected=counts(train=(714, 1702), test=(599, 1454)),
    folders=("Train", "Test"),
    read=_read,
    annotations=_annotations,
    boxes=cornered_lines,
)
