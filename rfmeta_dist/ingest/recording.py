"""One recording of a source data set: a video or a still image, and what the data set says about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rfmeta_dist.core.types import Split

# How a face can be faked. `warped` is a bent print, `cut` a print with holes for the eyes, `replay` a
# photo or video on a screen, `paper_mask` a face cut out of paper, `mask` a three-dimensional one.
ATTACK_TYPES = ("print", "warped", "cut", "replay", "paper_mask", "mask", "makeup", "partial", "other")

Kind = Literal["video", "image"]
Rotation = Literal[0, 90, 180, 270]
Box = tuple[float, float, float, float]  # x, y of the top left corner, width, height, in pixels
Boxes = dict[int, Box]  # by frame number; frames without a face are left out


def parts(protocols: Iterable[str], split: Split) -> frozenset[str]:
    """Return the membership of a recording that is in the same part of all these protocols: `1/train`, …"""
    return frozenset(f"{protocol}/{split}" for protocol in protocols)


@dataclass(frozen=True)
class Recording:
    """A file of a source data set.

    Attributes:
        path: relative to the source's root, with `/`.
        domain: what the data set is called among the shards, such as `O`.
        subject: whose face it shows: `O-12`. Unique across domains.
        video: letters, digits, `_` and `-`, starting with the domain: `O-1_1_12_3`. Unique, but that the
            images of one clip share it and differ in `frame`.
        split: where its samples go.
        official: where the data set itself puts it. Differs where a set has no validation part.
        label: 1 live, 0 attack.
        attack_type: `live`, or one of `ATTACK_TYPES`, or another word that a table of the user's own has.
        device: the camera.
        session: the recording session.
        condition: light, quality, support, instrument: whatever else the data set tells apart.
        rotation: degrees clockwise that make the pixels as stored upright. 0: whatever the container's
            display matrix says; anything else replaces it. Faces that lie nevertheless turn the file further.
        annotation: relative path of the data set's own face annotation.
        protocols: official evaluation protocols that it is in, with its part of each: `1/train`.
        kind: `video` or `image`.
        frame: of an image, its number in its clip.
        depth: relative path of a depth image that came with it.
    """

    path: str
    domain: str
    subject: str
    video: str
    split: Split
    official: Split
    label: int
    attack_type: str
    device: str = ""
    session: str = ""
    condition: str = ""
    rotation: Rotation = 0
    annotation: str | None = None
    protocols: frozenset[str] = field(default=frozenset())
    kind: Kind = "video"
    frame: int = 0
    depth: str | None = None


def staged_name(recording: Recording, root: Path) -> str:
    """What a recording is called while staged: by path, size, time, and what the layout says of it."""
    file = root / recording.path
    state = (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else ()
    said = json.dumps([asdict(recording) | {"protocols": sorted(recording.protocols)}, state], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32] + ".parquet"
