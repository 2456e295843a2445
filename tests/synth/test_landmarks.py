"""Portraits with a face mesh: the mean head is bent to the points found, in place and in depth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.synth.head.head import Head, build_head, draw_shape, draw_traits, mean_head
from rfmeta_dist.synth.head.landmarks import bend, fit_points, template
from rfmeta_dist.synth.imaging.texture import encode_srgb
from rfmeta_dist.synth.optics.framing import Framing, square
from rfmeta_dist.synth.person.bust import paint_bust
from rfmeta_dist.synth.person.portraits import find_portrait, survey
from rfmeta_dist.synth.person.pose import Pose, project
from rfmeta_dist.synth.place.scene import Lamp, shade

SIDE, HALF = 480, 1.1
LAMP = Lamp(np.array([0.1, -0.5, 0.86], np.float32), np.ones(3, np.float32), 0.5, 1.0)


def photograph(number: int) -> np.ndarray:
    """A made-up person as a picture, SIDE×SIDE×3 RGB."""
    view = project(paint_bust(number, 448), Pose(), Framing(0.0, 0.0, HALF, 0.0), square(SIDE))
    radiance = shade(view, LAMP, np.full((SIDE, SIDE, 3), 0.4, np.float32))
    return (encode_srgb(radiance * 0.3 / np.median(radiance)) * 255).astype(np.uint8)


def head_of(number: int) -> Head:
    """The head that `paint_bust` draws for a number."""
    rng = generator("bust", number)
    return build_head(draw_shape(draw_traits(rng), rng), 448)


def true_points(number: int) -> np.ndarray:
    """Where a perfect mesh would see the points of a made-up person: 468×3 pixels of `photograph`."""
    points = head_of(number).at_depth(template())
    pixels = (points[:, :2] / HALF + 1) * SIDE / 2
    return np.column_stack([pixels, -points[:, 2] * SIDE / 2 / HALF]).astype(np.float32)


@pytest.mark.parametrize("number", [3, 9, 17])
def test_a_bent_head_has_the_relief_of_the_person_in_the_picture(tmp_path, number):
    path = tmp_path / "someone.png"
    cv2.imwrite(str(path), photograph(number)[..., ::-1])
    portrait = find_portrait(path, lambda rgb: true_points(number))
    found = np.frombuffer(portrait.mesh, np.float32).reshape(-1, 3)
    assert np.array_equal(found, true_points(number))
    bust, true, mean = portrait.bust(448), head_of(number), mean_head(448)
    # The portrait's face coordinates put the points where the mean head has them, so sizes are compared there.
    a, b, c, d = portrait.fit
    rows, columns = np.mgrid[150:300, 150:298].astype(np.float32)
    x, y = ((v + 0.5) / 448 * 2.5 - 1.25 for v in (columns, rows))
    across, down = ((p / SIDE * 2 - 1) * HALF for p in (a * x - b * y + c, b * x + a * y + d))
    place = [((v + 1.25) * 448 / 2.5 - 0.5).astype(np.float32) for v in (across, down)]
    wanted = cv2.remap(true.height, *place, cv2.INTER_LINEAR) * SIDE / 2 / HALF / np.hypot(a, b)
    errors = [
        np.std(relief[150:300, 150:298] - wanted) for relief in (bust.height.astype(np.float32), mean.height)
    ]
    assert errors[0] < 0.7 * errors[1]


def test_points_of_a_moved_head_give_back_its_moves():
    truth = true_points(11)
    fit, missed = fit_points(truth)
    moved = bend(truth, fit)
    assert missed < 0.05
    assert 0.005 < np.abs(moved).max() < 0.3
    # Far from the face nothing moves.
    assert np.abs(moved[:, 0, 2]).max() < 0.1


def test_a_picture_without_points_is_no_portrait(tmp_path):
    cv2.imwrite(str(tmp_path / "someone.png"), photograph(3)[..., ::-1])
    assert find_portrait(tmp_path / "someone.png", lambda rgb: None) is None


def test_a_face_that_is_too_small_is_no_portrait(tmp_path):
    picture = np.full((4 * SIDE, 4 * SIDE, 3), 120, np.uint8)
    picture[:SIDE, :SIDE] = photograph(3)[..., ::-1]
    cv2.imwrite(str(tmp_path / "far.png"), picture)
    assert find_portrait(tmp_path / "far.png", lambda rgb: true_points(3)) is None


def test_what_was_found_in_a_folder_counts_as_the_folder(tmp_path):
    for number in (3, 9):
        cv2.imwrite(str(tmp_path / f"{number}.png"), photograph(number)[..., ::-1])
    found = survey(tmp_path, lambda rgb: true_points(3))
    assert found.usable == 2
    assert found.folder == tmp_path
    assert all(portrait.mesh for group in found.groups for portrait in group)


def test_the_mesh_sees_made_up_people_where_the_table_says():
    try:
        faces = Faces()
    except ConfigError:
        pytest.skip("face models are not installed")
    for number in (2, 3, 9, 17):
        picture = photograph(number)
        found = faces.detect(picture)
        assert len(found) == 1
        points, score = faces.landmarks(picture, found[0])
        assert score > 0.9
        missed = np.hypot(*(points[:, :2] - true_points(number)[:, :2]).T) / (SIDE / 2 / HALF)
        assert np.median(missed) < 0.035
