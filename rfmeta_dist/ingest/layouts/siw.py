"""SiW: `{Train,Test}/{live,spoof}/{person}/{person}-{sensor}-{type}-{medium}-{session}.{mov,mp4}`."""

from __future__ import annotations

import re

from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import cornered_lines
from rfmeta_dist.ingest.layouts.layout import counts
from rfmeta_dist.ingest.layouts.named import NamedLayout
from rfmeta_dist.ingest.recording import Recording

# The set has no validation part: the first ten of its training people, as in the public protocol lists.
_VALIDATION = (3, 6, 7, 11, 14, 16, 17, 22, 28, 30)
_TYPES = {"1": LIVE, "2": "print", "3": "replay"}
# Some clips of four people carry `.m` before their ending.
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
    return Recording(
        path=path,
        domain=domain,
        subject=f"{domain}-{int(person)}",
        video=f"{domain}-{stem}",
        split="validation" if held_out else official,
        official=official,
        label=int(kind == "1"),
        attack_type=_TYPES[kind],
        device=f"sensor-{sensor}",
        session=session,
        condition=f"medium-{medium}",
    )


def _annotations(path: str) -> tuple[str, ...]:
    stem = path.rsplit(".", 1)[0]
    return f"{stem}.face", f"{stem.removesuffix('.m')}.face"


SIW = NamedLayout(
    name="siw",
    domain="S",
    about="SiW: 165 people, two cameras, distances, poses and lights, prints and replays",
    expected=counts(train=(714, 1703), test=(599, 1462)),
    folders=("Train", "Test"),
    read=_read,
    annotations=_annotations,
    boxes=cornered_lines,
)
