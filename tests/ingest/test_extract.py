"""A file becomes crops with depth; attacks are framed like live faces, and everything left out is reported."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.check import Checker
from rfmeta_dist.data.shards.decode import decode_depth, decode_image
from rfmeta_dist.ingest.crop import CropRule, Square
from rfmeta_dist.ingest.extract import Extracted, contract, extract
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.video import Every, Spread
from tests.ingest.clips import Pixels, moving, scene, tag_rotation, write_clip, write_still

RULE = CropRule(size=128, lossless=True)


def pixels(found: Extracted, rule: CropRule = RULE) -> list[Pixels]:
    ending = "png" if rule.lossless else "jpg"
    return [decode_image(crop.image, ending, (rule.size, rule.size)) for crop in found.crops]


def depths(found: Extracted) -> np.ndarray:
    return np.stack([decode_depth(crop.depth) for crop in found.crops])


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("ending", [".avi", ".mov", ".mp4"])
def test_a_clip_becomes_crops_that_can_be_packed(faces: Faces, tmp_path: Path, ending: str):
    path = write_clip(tmp_path / f"a{ending}", moving(0, 9))
    rule = CropRule(size=128)
    for label, kind in ((1, "live"), (0, "print")):
        found = extract(path, label=label, frames=Spread(3), faces=faces, rule=rule)
        assert [crop.frame for crop in found.crops] == [1, 4, 7]
        assert (found.read, found.faceless, found.crowded) == (3, (), ())
        checker = Checker("A")
        for crop in found.crops:
            key = f"A-{kind}-{crop.frame}"
            checker.check(
                Sample(key, "A", "train", label, kind, "A-1", "a", crop.frame, crop.image, "jpg", crop.depth)
            )
        assert depths(found).any() == bool(label)


def test_the_same_file_gives_the_same_bytes(faces: Faces, tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", moving(0, 5))
    once, again = (
        extract(source, label=1, frames=Every(2), faces=faces, rule=RULE)
        for source in (path, path.read_bytes())
    )
    assert once == again


def test_attacks_are_framed_as_live_faces_and_have_no_depth(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "a.png", scene((0, 140, 60)))
    rule = CropRule(size=128, full_depth=True)
    live, attack = (extract(path, label=label, frames=Every(1), faces=faces, rule=rule) for label in (1, 0))
    assert live.crops[0].image == attack.crops[0].image
    assert depths(live).max() > 200
    assert not depths(attack).any()
    assert live.crops[0].full_depth is not None
    assert attack.crops[0].full_depth is not None
    full, none = (
        cv2.imdecode(np.frombuffer(c.full_depth, np.uint8), cv2.IMREAD_UNCHANGED)
        for c in (live.crops[0], attack.crops[0])
    )
    assert full.shape == none.shape == (256, 256)
    assert not none.any()
    small = cv2.resize(full, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - depths(live)[0]).max() <= 1


def test_the_face_is_in_the_middle_and_its_depth_lies_on_it(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "a.png", scene((0, 140, 60)))
    (depth,) = depths(extract(path, label=1, frames=Every(1), faces=faces, rule=RULE)) > 0
    rows, columns = np.flatnonzero(depth.any(1)), np.flatnonzero(depth.any(0))
    for span in (rows, columns):
        assert (span[0] + span[-1]) / 2 == pytest.approx(15.5, abs=1)
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert longer == pytest.approx(32 / RULE.margin, abs=2)


def test_a_face_at_the_border_is_cut_with_the_edge_repeated():
    picture = np.arange(40 * 50 * 3, dtype=np.uint32).reshape(40, 50, 3).astype(np.uint8)
    cut = Square(left=-8, top=20, side=32).cut(picture, 32)
    assert np.array_equal(cut[:20, 8:], picture[20:, :24])
    assert np.array_equal(cut[:20, :8], np.repeat(picture[20:, :1], 8, axis=1))
    assert np.array_equal(cut[20:], np.repeat(cut[19:20], 12, axis=0))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_file_gives_the_crops_of_the_upright_one(faces: Faces, tmp_path: Path, degrees: int):
    upright = moving(0, 2)
    lying = [np.ascontiguousarray(np.rot90(picture, degrees // 90)) for picture in upright]
    plain = write_clip(tmp_path / "plain.mp4", upright)
    tagged = tag_rotation(write_clip(tmp_path / "tagged.mp4", lying), degrees)
    untagged = write_clip(tmp_path / "untagged.avi", lying)
    expected, by_tag, by_hand = (
        pixels(extract(path, label=1, frames=Every(1), faces=faces, rule=RULE, rotation=rotation))[0]
        for path, rotation in ((plain, 0), (tagged, 0), (untagged, degrees))
    )
    for found in (by_tag, by_hand):
        # Encoded apart, the square may lie a pixel elsewhere; a wrong turn differs many times more.
        right, *wrong = (difference(np.rot90(expected, turns), found) for turns in range(4))
        assert right < min(wrong) / 3


def test_frames_without_a_face_are_listed_and_none_is_made_up(faces: Faces, tmp_path: Path):
    pictures = moving(0, 6)
    pictures[2] = pictures[3] = scene()
    path = write_clip(tmp_path / "a.mp4", pictures, codec="mpeg4")
    for label in (1, 0):
        found = extract(path, label=label, frames=Every(1), faces=faces, rule=RULE)
        assert [crop.frame for crop in found.crops] == [0, 1, 4, 5]
        assert (found.read, found.faceless) == (6, (2, 3))


def test_a_clip_is_cut_by_one_square_and_left_out_whole_if_a_face_is_missing(faces: Faces, tmp_path: Path):
    pictures = moving(0, 12)
    pictures[4] = scene()
    path = write_clip(tmp_path / "a.avi", pictures, codec="mjpeg")
    found = extract(path, label=1, frames=Spread(3, length=4), faces=faces, rule=RULE)
    assert [crop.frame for crop in found.crops] == [0, 1, 2, 3, 8, 9, 10, 11]
    assert (found.read, found.faceless) == (12, (4,))
    single = extract(path, label=1, frames=Every(1), faces=faces, rule=RULE)
    alike = {crop.frame: picture for crop, picture in zip(single.crops, pixels(single), strict=True)}
    first, *_, last = pixels(found)[:4]
    assert np.array_equal(first, alike[0])
    # The camera of a clip stands still, so the person moves; alone, each frame is centred anew, nearly.
    first, last, one, other = (cv2.GaussianBlur(p, (0, 0), 2.0) for p in (first, last, alike[0], alike[3]))
    assert difference(first, last) > 2 * difference(one, other)


def test_of_two_people_one_is_taken_and_the_crowd_reported(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "two.png", scene((0, 10, 20), (1, 270, 150)))
    alone = [
        pixels(
            extract(
                write_still(tmp_path / "one.png", scene(who)), label=1, frames=Every(1), faces=faces, rule=RULE
            )
        )[0]
        for who in ((0, 10, 20), (1, 270, 150))
    ]
    for person, box in enumerate([(50.0, 60.0, 110.0, 110.0), (310.0, 190.0, 110.0, 110.0)]):
        found = extract(path, label=1, frames=Every(1), faces=faces, rule=RULE, box_of={0: box})
        assert (len(found.crops), found.crowded) == (1, (0,))
        assert difference(pixels(found)[0], alone[person]) < 6
        assert difference(pixels(found)[0], alone[1 - person]) > 12


def test_boxes_are_of_the_file_as_stored(faces: Faces, tmp_path: Path):
    two = scene((0, 10, 20), (1, 270, 150))
    box = (310.0, 190.0, 110.0, 110.0)
    expected = extract(
        write_still(tmp_path / "a.png", two), label=1, frames=Every(1), faces=faces, rule=RULE, box_of={0: box}
    )
    x, y, width, height = box
    tall, wide = two.shape[:2]
    stored = {
        90: (y, wide - x - width, height, width),
        180: (wide - x - width, tall - y - height, width, height),
        270: (tall - y - height, x, height, width),
    }
    for degrees, lying in stored.items():
        path = write_still(tmp_path / f"{degrees}.png", np.ascontiguousarray(np.rot90(two, degrees // 90)))
        found = extract(
            path, label=1, frames=Every(1), faces=faces, rule=RULE, rotation=degrees, box_of={0: lying}
        )
        assert found.crops == expected.crops


def test_a_damaged_file_is_named(faces: Faces, tmp_path: Path):
    path = tmp_path / "bad.avi"
    path.write_bytes(b"RIFF nothing")
    with pytest.raises(DataError, match=r"bad\.avi cannot be read"):
        extract(path, label=1, frames=Every(1), faces=faces, rule=RULE)


def test_unfit_rules_are_refused():
    for wrong in ({"size": 100}, {"size": 0}, {"margin": 0.5}):
        with pytest.raises(ConfigError):
            CropRule(**wrong)
    for make in (lambda: Every(0), lambda: Spread(0), lambda: Spread(1, length=0)):
        with pytest.raises(ConfigError):
            make()


def test_the_contract_tells_any_two_ways_apart():
    ways = [(f, r) for f in (Every(1), Spread(5), Spread(5, 2)) for r in (CropRule(), RULE, CropRule(margin=2))]
    assert len({json.dumps(contract(*way), sort_keys=True) for way in ways}) == len(ways)


def test_a_depth_image_that_came_with_a_picture_is_cut_as_the_picture_is(faces: Faces, tmp_path: Path):
    picture = scene((0, 120, 80))
    path = write_still(tmp_path / "a.png", picture)
    # The picture's own brightness as its depth, at half the size: the crop's depth is then the crop, in grey.
    half = cv2.resize(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA
    )
    given = write_still(tmp_path / "depth.png", np.repeat(half[..., None], 3, 2)).read_bytes()
    found = extract(path, label=1, frames=Every(1), faces=faces, rule=RULE, given_depth=given)
    grey = cv2.cvtColor(pixels(found)[0], cv2.COLOR_RGB2GRAY)
    assert difference(depths(found)[0], cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)) < 6
    with pytest.raises(DataError, match="depth image"):
        extract(path, label=1, frames=Every(1), faces=faces, rule=RULE, given_depth=b"no picture")


def test_a_depth_image_that_cannot_be_right_is_named(faces: Faces, tmp_path: Path):
    path = write_still(tmp_path / "a.png", scene((0, 120, 80)))  # 480×360, the face right of the middle

    def run(depth: Pixels, label: int = 1) -> Extracted:
        given = cv2.imencode(".png", depth)[1].tobytes()
        return extract(
            path, label=label, frames=Every(1), faces=faces, rule=RULE, given_depth=given, name="a.png"
        )

    lying = np.full((480, 360), 200, np.uint8)
    with pytest.raises(DataError, match=r"the depth image of a\.png is 360×480, but the picture is 480×360"):
        run(lying)
    elsewhere = np.zeros((360, 480), np.uint8)
    elsewhere[:, :20] = 255
    with pytest.raises(DataError, match=r"the depth image of a\.png is black where the face is"):
        run(elsewhere)
    # Rounded, a small map has other proportions; 16 bits are as good as 8.
    for good in (np.full((8, 11), 200, np.uint8), np.full((360, 480), 200 * 257, np.uint16)):
        assert (depths(run(good)) == 200).all()
    assert not depths(run(elsewhere, label=0)).any()
