"""Describe one recording of a data set: a video or a still image, and what the data set says about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rfmeta_dist.core.types import Split

# `warped` is a bent print, `cut` a print with holes for the eyes, `replay` a photo or video on a screen,
# `paper_mask` a face cut out of paper, `mask` a three-dimensional mask.
ATTACK_TYPES = ("print", "warped", "cut", "replay", "paper_mask", "mask", "makeup", "partial", "other")

Kind = Literal["video", "image"]
Rotation = Literal[0, 90, 180, 270]
Box = tuple[float, float, float, float]  # x, y of the top left corner, width, height, in pixels
Boxes = dict[int, Box]  # by frame number; frames without a face have no entry


def parts(protocols: Iterable[str], split: Split) -> frozenset[str]:
    """Return entries such as `1/train` for a recording that is in the same part of all these protocols."""
    return frozenset(f"{protocol}/{split}" for protocol in protocols)


@dataclass(frozen=True)
class Recording:
    """A file of a source data set.

    Attributes:
        path: path relative to the source's root, with `/`.
        domain: name of the domain, such as `O`.
        subject: name of the person shown, such as `O-12`; unique across domains.
        video: name of the video, such as `O-1_1_12_3`: letters, digits, `_` and `-`, starting with the domain.
            Unique, except that the images of one clip share it and differ in `frame`.
        split: the split of its samples.
        official: the data set's own split. It differs from `split` if the data set has no validation part.
        label: 1 live, 0 attack.
        attack_type: `live`, or one of `ATTACK_TYPES`, or another word from the user's own table.
        device: the camera.
        session: the recording session.
        condition: other facts that the data set distinguishes: light, quality, support, instrument.
        rotation: degrees clockwise that make the stored pixels upright. 0 uses the container's display matrix;
            other values replace it. If faces then still lie on their side, the file is rotated further.
        annotation: relative path of the data set's own face annotation.
        protocols: the official evaluation protocols that use it, each with its part, such as `1/train`.
        kind: `video` or `image`.
        frame: number of an image within its clip; 0 for a video.
        depth: relative path of a depth image that the data set gives for it.
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
    """Return the recording's name in the staging area: a hash of its fields and of its file's size and time."""
    file = root / recording.path
    state = (file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else ()
    said = json.dumps([asdict(recording) | {"protocols": sorted(recording.protocols)}, state], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32] + ".parquet"
