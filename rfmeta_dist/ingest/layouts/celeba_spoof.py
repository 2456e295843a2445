"""CelebA-Spoof: `Data/{train,test}/{person}/{live,spoof}/….{jpg,png}`, described in `metas/intra_test/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.ingest.layouts.boxes import read_boxes, unnumbered
from rfmeta_dist.ingest.layouts.layout import (
    Counts,
    Survey,
    empty_among,
    files_below,
    is_companion,
    read_bytes,
    read_text,
    share,
)
from rfmeta_dist.ingest.recording import Boxes, Recording
from rfmeta_dist.ingest.still import still_size

_HELD_OUT = 0.1  # share of the training people used for validation; the data set has no validation part
_BOX_SIDE = 224  # annotated boxes are in pixels of the image scaled to a square of this side
_TYPE, _LIGHT, _PLACE, _SPOOF = 40, 41, 42, 43  # positions in a description of 44 numbers
_TYPES = dict(enumerate([LIVE, *3 * ["print"], *3 * ["paper_mask"], *3 * ["replay"], "mask"]))
_MASKS, _SCREENS = ("face-mask", "upper-body-mask", "region-mask"), ("pc", "pad", "phone")
_MEDIA = dict(enumerate(("", "photo", "poster", "a4", *_MASKS, *_SCREENS, "3d-mask")))
_LIGHTS = dict(enumerate(("", "normal", "strong", "back", "dark")))
_PLACES = dict(enumerate(("", "indoor", "outdoor")))
_LISTS: dict[str, Split] = {"train_label.json": "train", "test_label.json": "test"}
_RESTORE = "restore the list from the data set"
_NAME = re.compile(r"Data/(train|test)/(\d+)/(live|spoof)/(\w+)\.(?:jpg|png)")


@dataclass(frozen=True)
class CelebASpoof:
    """The layout of CelebA-Spoof; see `Layout` for the methods. The source's own lists say what is in it."""

    name: str = "celeba_spoof"
    domain: str = "A"
    about: str = "CelebA-Spoof: 625,537 images of 10,177 people, ten kinds of attack"
    expected: Counts | None = None

    def survey(self, root: Path, domain: str | None = None) -> Survey:
        """List the recordings of a source; see `Layout.survey`."""
        files = files_below(root)
        present = set(files)
        listed: dict[str, Recording] = {}
        for path, description, official in _described(root):
            listed[path] = _recording(path, description, official, domain or self.domain)
        found = tuple(_annotated(listed[path], present) for path in files if path in listed)
        return Survey(
            recordings=found,
            missing=tuple(sorted(path for path in listed if path not in present)),
            unknown=tuple(path for path in files if path not in listed and not is_companion(path)),
            empty=empty_among(root, found),
            notes=(
                f"the data set has no validation split: {_HELD_OUT:.0%} of the training people are used for "
                "validation, chosen by a hash of their number",
            ),
        )

    def find(self, root: Path, domain: str | None = None) -> list[Recording]:
        """Return the recordings, sorted by path."""
        return list(self.survey(root, domain).recordings)

    def faces(self, recording: Recording, root: Path) -> Boxes | None:
        """Read the data set's own annotation; see `Layout.faces`."""
        if recording.annotation is None:
            return None
        boxes = read_boxes(root, recording.annotation, unnumbered)
        width, height = _size(root, recording.path)
        across, down = width / _BOX_SIDE, height / _BOX_SIDE
        return {frame: (x * across, y * down, w * across, h * down) for frame, (x, y, w, h) in boxes.items()}


def _described(root: Path) -> Iterator[tuple[str, list[int], Split]]:
    """Yield path, description and official split of each image in the lists."""
    if not root.is_dir() or not any((root / "metas/intra_test" / name).is_file() for name in _LISTS):
        raise DataError(
            f"the folder {root} has no lists of celeba_spoof",
            "give the folder that holds Data/ and metas/intra_test/{train,test}_label.json",
        )
    for name, official in _LISTS.items():
        path = f"metas/intra_test/{name}"
        if not (root / path).is_file():
            continue
        try:
            content: Any = json.loads(read_text(root, path))
        except ValueError as error:
            raise DataError(f"{path} is not JSON ({error})", _RESTORE) from error
        if not isinstance(content, dict):
            raise DataError(f"{path} does not map the paths of images to descriptions", _RESTORE)
        for image, description in content.items():
            yield image, description, official


def _recording(path: str, description: Any, official: Split, domain: str) -> Recording:
    match = _NAME.fullmatch(path)
    try:
        kind, light, place, spoof = (description[i] for i in (_TYPE, _LIGHT, _PLACE, _SPOOF))
        attack_type, condition = _TYPES[kind], "-".join(filter(None, (_LIGHTS[light], _PLACES[place])))
    except (TypeError, IndexError, KeyError) as error:
        raise DataError(
            f"the list does not describe {path} by 44 numbers of known meaning", _RESTORE
        ) from error
    if not match or match[1] != official:
        raise DataError(f"the {official} list names {path}, which is not a {official} image", _RESTORE)
    if not (match[3] == LIVE) == (kind == 0) == (spoof == 0):
        raise DataError(
            f"{path} is in folder {match[3]}/, but the list says type {kind}, spoof {spoof} (0 is live)",
            f"{_RESTORE}, because the wrong label would be used in training",
        )
    subject = f"{domain}-{int(match[2])}"
    held_out = official == "train" and share(match[2]) < _HELD_OUT
    return Recording(
        path=path,
        domain=domain,
        subject=subject,
        video=f"{subject}-{match[3]}-{match[4]}",
        split="validation" if held_out else official,
        official=official,
        label=int(kind == 0),
        attack_type=attack_type,
        condition=condition,
        about={"light": _LIGHTS[light], "environment": _PLACES[place], "medium": _MEDIA[kind]},
        protocols=frozenset({f"intra_test/{official}"}),
        kind="image",
    )


def _annotated(recording: Recording, present: set[str]) -> Recording:
    place = recording.path.rsplit(".", 1)[0] + "_BB.txt"
    return replace(recording, annotation=place) if place in present else recording


def _size(root: Path, path: str) -> tuple[int, int]:
    """Return width and height of an image. Its encoding is recognised by its content, not by its name."""
    try:
        return still_size(read_bytes(root, path))
    except ValueError as error:
        raise DataError(
            f"{path} is not a readable image ({error})", "copy it from the data set again"
        ) from error


CELEBA_SPOOF = CelebASpoof()
