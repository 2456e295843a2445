"""Describe a recording of a source data set: a video or still image, and what the data set says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rfmeta_dist.core.about import to_text
from rfmeta_dist.core.types import Split

# Kinds of attacks. `warped` is a bent print, `cut` a print with holes for the eyes, `replay` a photo or video
# on a screen, `paper_mask` a face cut out of paper, `mask` a three-dimensional mask.
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
        domain: name of the data set among the shards, such as `O`.
        subject: the person whose face it shows, such as `O-12`. Unique across domains.
        video: name of the clip, such as `O-1_1_12_3`: letters, digits, `_` and `-`, starting with the domain.
            It is unique, except that the images of one clip share it and differ in `frame`.
        split: the split that its samples go to.
        official: the split in which the data set itself puts it. It differs from `split` where a data set has
            no validation part.
        label: 1 live, 0 attack.
        attack_type: `live`, one of `ATTACK_TYPES`, or another word from a user's own table.
        device: the camera.
        session: the recording session.
        condition: light, quality, support, instrument, as one text in the data set's own words.
        about: facts about the recording besides device and session: light, support, quality, medium, distance,
            or further columns of a user's table. Values by name; see `core.about`.
        rotation: degrees clockwise that make the stored pixels upright. 0 means what the container's display
            matrix says; another value replaces it. If faces still lie on their side, the file is turned
            further.
        annotation: relative path of the data set's own face annotation.
        protocols: official evaluation protocols that it is in, with its part of each: `1/train`.
        kind: `video` or `image`.
        frame: number of an image in its clip; 0 for a video.
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
    about: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def told(self) -> str:
        """Return all that the data set tells about the recording, as `core.about.to_text` writes it."""
        return to_text({"device": self.device, "session": self.session, **self.about})


def staged_name(recording: Recording, root: Path) -> str:
    """Return the name of a recording's staged file: a hash of path, size, time, and what the layout says."""
    file = root / recording.path
    state = (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else ()
    said = json.dumps([asdict(recording) | {"protocols": sorted(recording.protocols)}, state], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32] + ".parquet"
