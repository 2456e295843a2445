"""Native crops keep the pixels of the picture; faces that are too small or too large are reported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.data.shards.decode import decode_depth, decode_image, image_size
from rfmeta_dist.ingest.crop import CropRule, Native
from rfmeta_dist.ingest.extract import Extracted, contract, extract
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.video import Every, Spread
from tests.ingest.clips import Pixels, moving, scene, write_clip, write_still

EACH = Every(1)


def cut(source: Path, faces: Faces, size: int | Native, label: int = 1, frames=EACH) -> Extracted:
    return extract(source, label=label, frames=frames, faces=faces, rule=CropRule(size, lossless=True))


def pictures(found: Extracted) -> list[Pixels]:
    return [decode_image(crop.image, "png", image_size(crop.image, "png")) for crop in found.crops]


def test_a_native_crop_is_a_part_of_the_picture_pixel_for_pixel(faces: Faces, tmp_path: Path):
    picture = scene((0, 140, 60))
    picture ^= np.random.default_rng(0).integers(0, 8, picture.shape, np.uint8)  # or parts of it look alike
    path = write_still(tmp_path / "a.png", picture)
    found = cut(path, faces, Native())
    (crop,) = pictures(found)
    assert crop.shape[0] == crop.shape[1] > 64
    _, _, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(picture, crop, cv2.TM_CCOEFF_NORMED))
    assert np.array_equal(crop, picture[top : top + crop.shape[0], left : left + crop.shape[0]])
    assert (found.small, found.shrunk) == ((), 0)
    same, other = (decode_depth(found.crops[0].depth) for found in (found, cut(path, faces, 128)))
    assert np.array_equal(same, other)  # depth is of the face, whatever the size of its crop


def test_faces_that_are_too_small_are_left_out_whatever_their_label(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "a.png", scene((0, 140, 60)))
    side = pictures(cut(path, faces, Native()))[0].shape[0]
    for label in (1, 0):
        assert len(cut(path, faces, Native(smallest=side), label).crops) == 1
        found = cut(path, faces, Native(smallest=side + 1), label)
        assert (found.crops, found.small, found.faceless, found.read) == ((), (side,), (), 1)


def test_a_clip_whose_face_is_too_small_is_left_out_whole(faces: Faces, tmp_path: Path):
    path = write_clip(tmp_path / "a.avi", moving(0, 6), codec="mjpeg")
    rule = Spread(1, length=3)
    sides = [picture.shape[0] for picture in pictures(cut(path, faces, Native(), frames=rule))]
    assert len(set(sides)) == 1
    found = cut(path, faces, Native(smallest=sides[0] + 1), frames=rule)
    assert (found.crops, found.small) == ((), (sides[0],) * 3)


def test_faces_that_are_too_large_are_shrunk_and_counted(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "a.png", scene((0, 140, 60)))
    found = cut(path, faces, Native(64, 96))
    assert found.shrunk == 1
    assert np.array_equal(pictures(found)[0], pictures(cut(path, faces, 96))[0])


def test_the_contract_says_native_and_that_of_one_size_is_what_it_was():
    assert contract(Every(1), CropRule(Native(32)))["crop"]["size"] == {"smallest": 32, "largest": 1024}
    assert contract(Every(1), CropRule())["crop"] == {
        "size": 256,
        "margin": 1.5,
        "lossless": False,
        "full_depth": False,
        "around": "landmarks",
        "aligned": False,
        "beyond": "edge repeated",
    }


@pytest.mark.parametrize("smallest", [0, -1, 1025])
def test_unfit_sizes_are_refused(smallest: int):
    with pytest.raises(ConfigError, match="smallest side of a native crop"):
        Native(smallest)
