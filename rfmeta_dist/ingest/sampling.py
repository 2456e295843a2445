"""Turn one recording into its samples and a tally of what was left out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.stage import Tally
from rfmeta_dist.ingest.crop import CropRule
from rfmeta_dist.ingest.extract import Crop, extract
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.layouts.layout import Layout, read_bytes
from rfmeta_dist.ingest.recording import Recording
from rfmeta_dist.ingest.video import FrameRule
from rfmeta_dist.storage.errors import MissingError


def sample(
    recording: Recording, root: Path, layout: Layout, frames: FrameRule, rule: CropRule, faces: Faces
) -> tuple[list[Sample], Tally]:
    """Cut the faces out of a recording. One that cannot be read gives no samples, and its tally says why.

    Args:
        recording: what to read.
        root: folder of the source.
        layout: reads the data set's own annotation.
        frames: which frames to take; a still image has one.
        rule: how to cut.
        faces: face detector and landmark model.

    Raises:
        StorageError: the source cannot be reached.
    """
    try:
        content = read_bytes(root, recording.path)
    except MissingError:
        return [], Tally(
            recording.path, error=f"{recording.path} does not exist, or is a link to a missing file"
        )
    tally = Tally(recording.path, hashlib.sha256(content).hexdigest())
    try:
        got = extract(
            content,
            label=recording.label,
            frames=frames,
            faces=faces,
            rule=rule,
            rotation=recording.rotation,
            box_of=layout.faces(recording, root),
            given_depth=read_bytes(root, recording.depth) if recording.depth and recording.label else None,
            name=recording.path,
        )
    except StorageError:
        raise
    except DataError as error:
        return [], Tally(recording.path, tally.sha256, error=error.problem)
    samples = [_sample(recording, crop, rule) for crop in got.crops]
    found = replace(tally, turned=got.turned, lying=got.lying, small=got.small, shrunk=got.shrunk)
    return samples, replace(found, read=got.read, faceless=got.faceless, crowded=got.crowded)


def _sample(recording: Recording, crop: Crop, rule: CropRule) -> Sample:
    frame = recording.frame + crop.frame  # recording.frame is 0 for a video, crop.frame for an image
    return Sample(
        key=f"{recording.video}-{frame:05d}",
        domain=recording.domain,
        split=recording.split,
        label=recording.label,
        attack_type=recording.attack_type,
        subject=recording.subject,
        video=recording.video,
        frame=frame,
        image=crop.image,
        image_ext="png" if rule.lossless else "jpg",
        depth=crop.depth,
        full_depth=crop.full_depth,
        protocols=tuple(sorted(recording.protocols)),
        about=recording.told,
    )
