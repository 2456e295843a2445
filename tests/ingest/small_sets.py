"""Corners of the data sets: real recordings and annotations under official names, a few of each split.

Every picture shows two people, the smaller one with a blue cast. Where a data set says whose face is meant, it
is that one; elsewhere the larger is taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from rfmeta_dist.ingest.layouts.layout import share
from tests.ingest.clips import Pixels, person, scene, tag_rotation, write_clip, write_still
from tests.ingest.layout_trees import write

FRAMES = 4
SMALL = 132  # side of the smaller person's picture
FACE = (315, 165, 85, 85)  # about where the smaller person's face is


def crowd(number: int) -> Pixels:
    """A large person, and a small blue one; 480×360."""
    picture = scene((number % 3, 10, 80))
    other = cv2.resize(person((number + 1) % 3), (SMALL, SMALL), interpolation=cv2.INTER_AREA)
    blue = (other.mean(axis=2, keepdims=True) * [0.7, 0.95, 1.3]).clip(0, 255)
    picture[130 : 130 + SMALL, 300 : 300 + SMALL] = blue.astype(np.uint8)
    return picture


def is_blue(crop: Pixels) -> bool:
    """Whether a crop is of the smaller person."""
    side = crop.shape[0]
    middle = crop[side // 3 : -side // 3, side // 3 : -side // 3].astype(float)
    return bool(middle[..., 2].mean() > middle[..., 0].mean())


MSU = [
    "scene01/real/real_client002_laptop_SD_scene01.mov",
    "scene01/attack/attack_client002_laptop_SD_ipad_video_scene01.mov",
    "scene01/real/real_client055_android_SD_scene01.mp4",
    "scene01/attack/attack_client055_android_SD_printed_photo_scene01.mp4",
    "scene01/real/real_client001_laptop_SD_scene01.mov",
    "scene01/attack/attack_client001_laptop_SD_iphone_video_scene01.mov",
]
HELD_OUT = next(number for number in range(1, 1000) if share(str(number)) < 0.1)  # by CelebA-Spoof's rule
CELEBA = {
    f"Data/{part}/{who}/{folder}/{number:06}.{ending}": [0] * 40
    + ([7, 1, 1, 1] if folder == "spoof" else [0] * 4)
    for part, who in (("train", 7), ("train", HELD_OUT), ("test", 11))
    for folder, ending in (("live", "jpg"), ("spoof", "png"))
    for number in (1, 2)
}

PATHS: dict[str, list[str]] = {
    "oulu_npu": [
        f"{folder}_files/1_1_{user}_{kind}.avi"
        for folder, user in (("Train", "01"), ("Dev", "21"), ("Test", "36"))
        for kind in (1, 4)
    ],
    "casia_fasd": [
        f"{folder}_release/{subject}/{name}.avi"
        for folder, subject in (("train", 1), ("train", 16), ("test", 1))
        for name in ("1", "HR_3")
    ],
    "replay_attack": [
        path.format(split, client)
        for split, client in (("train", "001"), ("devel", "003"), ("test", "009"))
        for path in (
            "{}/real/client{}_session01_webcam_authenticate_adverse_1.mov",
            "{}/attack/hand/attack_print_client{}_session01_highdef_photo_controlled.mov",
        )
    ],
    "msu_mfsd": MSU,
    "replay_mobile": [
        path.format(split, client)
        for split, client in (("train", "001"), ("devel", "005"), ("test", "002"))
        for path in (
            "{}/real/client{}_session02_authenticate_mobile_adverse.mov",
            "{}/attack/attack_client{}_session01_mattescreen_fixed_tablet_video_lightoff.mov",
        )
    ],
    "siw": [
        f"{part}/{folder}/{person}/{person}-1-{kind}-1-1.mov"
        for part, person in (("Train", "032"), ("Train", "003"), ("Test", "001"))
        for folder, kind in (("live", 1), ("spoof", 3))
    ],
    "celeba_spoof": list(CELEBA),
}


def _oulu(root: Path, path: str) -> None:
    x, y, width, _ = FACE
    apart = width / 2.2
    right, left, down = x + width / 2 - apart / 2, x + width / 2 + apart / 2, y + 1.1 * apart
    lines = (f"{frame},{right:.0f},{down:.0f},{left:.0f},{down:.0f}" for frame in range(FRAMES))
    write((root / path).with_suffix(".txt"), "\n".join(lines) + "\n")


def _replay(root: Path, path: str) -> None:
    lines = (f"{frame} {' '.join(map(str, FACE))}" for frame in range(FRAMES))
    write((root / "face-locations" / path).with_suffix(".face"), "\n".join(lines) + "\n")


def _corners() -> tuple[int, int, int, int]:
    x, y, width, height = FACE
    return x, y, x + width, y + height


def _msu(root: Path, path: str) -> None:
    lines = (f"{frame},{','.join(map(str, _corners()))},0,0,0,0" for frame in range(FRAMES))
    write((root / path).with_suffix(".face"), "\n".join(lines) + "\n")


def _siw(root: Path, path: str) -> None:
    write((root / path).with_suffix(".face"), f"{' '.join(map(str, _corners()))}\n" * FRAMES)


def _celeba(root: Path, path: str) -> None:
    x, y, width, height = FACE
    scaled = (round(v * 224 / side) for v, side in ((x, 480), (y, 360), (width, 480), (height, 360)))
    write(root / f"{path.rsplit('.', 1)[0]}_BB.txt", f"{' '.join(map(str, scaled))} 0.99\n")


ANNOTATE: dict[str, Callable[[Path, str], None]] = {
    "oulu_npu": _oulu,
    "replay_attack": _replay,
    "msu_mfsd": _msu,
    "siw": _siw,
    "celeba_spoof": _celeba,
}


def write_set(root: Path, layout: str) -> Path:
    """Write the corner of a data set; the folder to survey. The clips of Replay-Mobile lie on their side."""
    for number, path in enumerate(PATHS[layout]):
        _write_recording(root / path, number, lying=layout == "replay_mobile")
        if layout in ANNOTATE:
            ANNOTATE[layout](root, path)
    if layout == "oulu_npu":
        write(root / "Protocols/Protocol_1/Train.txt", "+1,1_1_01_1\n-1,1_1_01_4\n")
    if layout == "celeba_spoof":
        for part in ("train", "test"):
            rows = {path: row for path, row in CELEBA.items() if path.startswith(f"Data/{part}/")}
            write(root / f"metas/intra_test/{part}_label.json", json.dumps(rows))
    return root


def _write_recording(path: Path, number: int, *, lying: bool) -> None:
    picture = crowd(number)
    if path.suffix in (".jpg", ".png"):
        write_still(path, picture)
    elif lying:
        tag_rotation(write_clip(path, [np.ascontiguousarray(np.rot90(picture))] * FRAMES), 90)
    else:
        write_clip(path, [picture] * FRAMES)
