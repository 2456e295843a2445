"""Files without a correct rotation mark are rotated by their faces, and this is reported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.ingest.crop import CropRule
from rfmeta_dist.ingest.extract import Extracted, extract
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.video import Every
from tests.ingest.clips import Pixels, moving, scene, write_clip, write_still
from tests.ingest.test_orientation import STORED, write_tagged

RULE = CropRule(size=64, lossless=True, full_depth=True)
lying = pytest.mark.parametrize("degrees", [90, 180, 270])


def turned(picture: Pixels, degrees: int) -> Pixels:
    """Rotate a picture so that this many degrees clockwise make it upright."""
    return np.ascontiguousarray(np.rot90(picture, degrees // 90))


def run(faces: Faces, path: Path, label: int = 1, **options) -> Extracted:
    return extract(path, label=label, frames=Every(1), faces=faces, rule=RULE, **options)


def likeness(one: bytes, other: bytes) -> float:
    first, second = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in (one, other))
    return float(np.abs(first.astype(int) - second).mean())


@lying
@pytest.mark.parametrize("label", [1, 0])
def test_a_photo_that_lies_gives_the_crop_and_depth_of_the_upright_one(faces, tmp_path, degrees, label):
    upright = run(faces, write_still(tmp_path / "a.png", scene((0, 160, 90))), label)
    found = run(faces, write_still(tmp_path / "b.png", turned(scene((0, 160, 90)), degrees)), label)
    assert found.crops == upright.crops
    assert (upright.turned, found.turned) == (0, degrees)
    assert upright.lying == found.lying == ()


@lying
@pytest.mark.parametrize("ending", [".avi", ".mp4", ".mkv"])
def test_a_clip_that_lies_is_turned_whole_and_says_so(faces, tmp_path, ending, degrees):
    upright = run(faces, write_clip(tmp_path / f"a{ending}", moving(1, 4), codec="mpeg4"))
    pictures = [turned(picture, degrees) for picture in moving(1, 4)]
    found = run(faces, write_clip(tmp_path / f"b{ending}", pictures, codec="mpeg4"))
    assert (upright.turned, found.turned, found.lying) == (0, degrees, ())
    assert [crop.frame for crop in found.crops] == [0, 1, 2, 3]
    for one, other in zip(upright.crops, found.crops, strict=True):
        assert likeness(one.image, other.image) < 12
        assert likeness(one.full_depth, other.full_depth) < 12


@pytest.mark.parametrize(("kind", "turn"), [(6, 270), (3, 180), (8, 90), (4, 180)])
def test_a_clip_whose_container_says_what_is_wrong_is_turned_back(faces, tmp_path, kind: int, turn: int):
    found = run(faces, write_tagged(tmp_path / "a.mp4", moving(0, 3), STORED[kind][1]))
    assert (found.turned, len(found.crops)) == (turn, 3)


@pytest.mark.parametrize("kind", STORED)
def test_a_clip_whose_container_is_right_is_left_to_it(faces, tmp_path, kind: int):
    pictures = [np.ascontiguousarray(STORED[kind][0](picture)) for picture in moving(0, 2)]
    found = run(faces, write_tagged(tmp_path / "a.mp4", pictures, STORED[kind][1]))
    upright = run(faces, write_clip(tmp_path / "b.mp4", moving(0, 2)))
    assert (found.turned, found.lying) == (0, ())
    assert likeness(found.crops[0].image, upright.crops[0].image) < 12


def test_a_rotation_that_a_data_set_is_known_for_is_checked_by_the_faces_too(faces, tmp_path):
    known = write_clip(tmp_path / "a.mp4", [turned(picture, 180) for picture in moving(0, 3)])
    assert run(faces, known, rotation=180).turned == 0
    mended = write_clip(tmp_path / "b.mp4", moving(0, 3))  # by a user who turned it before us
    assert run(faces, mended, rotation=180).turned == 180


def test_a_depth_image_is_turned_with_its_photo(faces, tmp_path):
    depth = np.tile(np.linspace(40, 250, 360, dtype=np.uint8)[:, None, None], (1, 480, 3))
    found = []
    for degrees in (0, 90, 180):
        path = write_still(tmp_path / f"{degrees}.png", turned(scene((0, 160, 90)), degrees))
        given = write_still(tmp_path / f"{degrees}d.png", turned(depth, degrees)).read_bytes()
        found.append(run(faces, path, given_depth=given))
    assert [one.turned for one in found] == [0, 90, 180]
    assert found[0].crops == found[1].crops == found[2].crops


def test_a_box_of_the_data_set_still_means_the_same_face(faces, tmp_path):
    two = scene((0, 10, 20), (1, 270, 150))
    upright = run(faces, write_still(tmp_path / "a.png", two), box_of={0: (310.0, 190.0, 110.0, 110.0)})
    # On its side, x runs up from what was the right edge, at 480.
    lying = write_still(tmp_path / "b.png", turned(two, 90))
    found = run(faces, lying, box_of={0: (190.0, 480.0 - 310.0 - 110.0, 110.0, 110.0)})
    assert found.turned == 90
    assert found.crops == upright.crops


def test_a_clip_of_two_minds_is_left_as_it_is_and_its_lying_frames_are_listed(faces, tmp_path):
    pictures = [scene((0, 140, 80), width=480, height=480) for _ in range(6)]
    pictures[4:] = [turned(picture, 90) for picture in pictures[4:]]
    found = run(faces, write_clip(tmp_path / "a.avi", pictures, codec="mjpeg"))
    assert (found.turned, found.lying, len(found.crops)) == (0, (4, 5), 6)


def test_pictures_without_a_face_are_never_turned(faces, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    for picture in (noise, scene()):
        found = run(faces, write_still(tmp_path / "a.png", picture))
        assert (found.turned, found.lying, found.crops) == (0, (), ())
