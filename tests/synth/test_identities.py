"""Made-up people: the same whoever asks, unlike one another, exact in depth, and moving as people do."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import lru_cache
from itertools import combinations

import cv2
import numpy as np
import pytest

from rfmeta_dist.synth.optics.framing import Framing, square
from rfmeta_dist.synth.person.bust import paint_bust
from rfmeta_dist.synth.person.pose import Pose, View, project
from rfmeta_dist.synth.place.scene import Lamp, depth_map, shade

SIDE = 256
PEOPLE = range(20, 32)
RESTING = Pose()
FRONT = Framing(0.0, 0.0, 0.8, 0.0)
EYES = (slice(96, 138), slice(66, 190))  # rows and columns of SIDE in which the eyes of FRONT lie
MOUTH = (slice(165, 215), slice(90, 166))


paint = lru_cache(len(PEOPLE))(
    paint_bust.__wrapped__
)  # `paint_bust` keeps four people, and these tests have 12


def seen(number: int, pose: Pose = RESTING, framing: Framing = FRONT) -> View:
    return project(paint(number, 448), pose, framing, square(SIDE))


def lit(view: View, azimuth: float = 0.0) -> np.ndarray:
    direction = np.array([np.sin(azimuth), -0.3, np.cos(azimuth)], np.float32)
    lamp = Lamp(direction / np.linalg.norm(direction), np.ones(3, np.float32), 0.3, 1.0)
    return shade(view, lamp, np.full((SIDE, SIDE, 3), 0.3, np.float32))


def nose(view: View) -> tuple[int, int]:
    """Row and column of the point nearest to the camera."""
    row, column = np.unravel_index(np.where(view.cover > 0.5, view.height, -9).argmax(), view.height.shape)
    return int(row), int(column)


def test_a_number_is_one_person():
    first = paint_bust(7, 256)
    paint_bust.cache_clear()
    again = paint_bust(7, 256)
    for one, other in zip(astuple(first)[:5], astuple(again)[:5], strict=True):
        assert one.tobytes() == other.tobytes()
    assert first.mimic.shut.tobytes() == again.mimic.shut.tobytes()


def test_a_person_looks_the_same_at_every_resolution():
    def small(number: int, resolution: int) -> np.ndarray:
        bust = paint_bust(number, resolution)
        return cv2.resize(bust.albedo * bust.cover[..., None], (64, 64), interpolation=cv2.INTER_AREA)

    for number in PEOPLE[:4]:
        same = np.abs(small(number, 896) - small(number, 256)).mean()
        other = np.abs(small(number, 896) - small(number + 1, 896)).mean()
        assert same < 0.4 * other


def test_people_are_told_apart_by_their_faces_alone():
    faces = [seen(number).albedo[60:220, 75:181] for number in PEOPLE]
    # Compared after each is brought to the same brightness: it is not only their tone that differs.
    faces = [face / face.mean() for face in faces]
    apart = [float(np.abs(one - other).mean()) for one, other in combinations(faces, 2)]
    assert min(apart) > 0.05


def test_people_differ_in_relief():
    reliefs = [seen(number).height[100:200, 85:171] for number in PEOPLE]
    apart = [float(np.std(one - other)) for one, other in combinations(reliefs, 2)]
    assert min(apart) > 0.006


def test_skin_of_all_tones():
    tones = np.array([paint_bust(n, 256).albedo[150:158, 100:156].mean() for n in range(100, 124)])
    assert tones.max() > 2.5 * tones.min()


@pytest.mark.parametrize("number", PEOPLE)
def test_the_nose_is_nearest_and_the_background_is_at_zero(number):
    row, column = nose(seen(number))
    assert abs(column - SIDE / 2) < 12
    assert 125 < row < 175
    depth = depth_map(seen(number))
    assert depth.max() == 255
    assert not depth[0, 0]


def test_depth_is_in_register_with_the_picture():
    bust = paint_bust(21, 448)
    view = seen(21, Pose(yaw=0.2, pitch=-0.1), Framing(0.1, 0.05, 0.9, 0.1))
    inside = cv2.erode((view.cover > 0.99).astype(np.uint8), np.ones((9, 9))) > 0
    # A pixel's albedo and height come from the same point: painting the heights gives them back.
    painted = project(
        replace(bust, albedo=np.dstack([bust.height] * 3)),
        Pose(yaw=0.2, pitch=-0.1),
        Framing(0.1, 0.05, 0.9, 0.1),
        square(SIDE),
    )
    leaning = painted.albedo[..., 0] - view.height
    residual = leaning - cv2.GaussianBlur(leaning, (0, 0), 6)
    assert np.abs(residual[inside]).mean() < 0.004


@pytest.mark.parametrize(("yaw", "pitch"), [(0.3, 0.0), (-0.3, 0.0), (0.0, 0.2), (0.0, -0.2)])
def test_the_nose_goes_where_the_head_turns(yaw, pitch):
    for number in PEOPLE[:4]:
        row, column = nose(seen(number))
        turned = seen(number, Pose(yaw=yaw, pitch=pitch))
        # The nearest point of a face that leans is measured without the lean.
        x, y = FRONT.to_face(*square(SIDE).grid())
        upright = View(**{**turned.__dict__, "height": turned.height + x * np.sin(yaw) + y * np.sin(pitch)})
        new_row, new_column = nose(upright)
        if yaw:
            assert (new_column - column) * np.sign(yaw) > 5
        else:
            assert (new_row - row) * np.sign(pitch) > 3


def test_a_blink_changes_the_eyes_and_nothing_else():
    for number in PEOPLE[:6]:
        open_eyes, closed = seen(number), seen(number, Pose(blink=1.0))
        changed = np.abs(closed.albedo - open_eyes.albedo).max(2) > 0.02
        assert changed[EYES].any()
        changed[EYES] = False
        assert not changed.any()


def test_closed_eyes_show_skin():
    for number in (21, 23, 24):
        bust = paint_bust(number, 448)
        x, y = bust.eyes
        row, column = (round((c / 0.8 + 1) * SIDE / 2) for c in (y, x))
        part = slice(row - 3, row + 1), slice(column - 8, column + 8)
        cheek = seen(number).albedo[row + 22 : row + 30, column - 8 : column + 8].mean((0, 1))
        wide, shut = (seen(number, Pose(blink=b)).albedo[part].mean((0, 1)) for b in (0.0, 1.0))
        assert np.abs(shut - cheek).mean() < np.abs(wide - cheek).mean()


def test_an_open_mouth_is_dark_inside_and_the_chin_goes_down():
    for number in (22, 25, 28):
        closed, opened = seen(number), seen(number, Pose(jaw=1.0))
        assert opened.albedo[MOUTH].min() < 0.06
        assert opened.albedo[MOUTH].mean() < closed.albedo[MOUTH].mean()
        assert np.array_equal(opened.albedo[:90], closed.albedo[:90])


def test_a_smile_widens_the_mouth_and_lifts_its_corners():
    for number in PEOPLE[:4]:
        colours = [(255 * seen(number, pose).albedo).astype(np.uint8) for pose in (RESTING, Pose(smile=1.0))]
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in colours]
        flow = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 3, 15, 5, 7, 1.5, 0)[MOUTH]
        third = flow.shape[1] // 3
        left, right = flow[:, :third].reshape(-1, 2), flow[:, -third:].reshape(-1, 2)
        assert np.percentile(left[:, 0], 10) < -1, number  # pixels of the picture
        assert np.percentile(right[:, 0], 90) > 1, number
        assert max(np.percentile(side[:, 1], 10) for side in (left, right)) < -1, number


@pytest.mark.parametrize("act", ["smile", "brows"])
def test_expressions_move_the_face_and_leave_the_clothes(act):
    change = np.abs(seen(23, Pose(**{act: 1.0})).albedo - seen(23).albedo).mean(2)
    assert change[60:200, 70:186].mean() > 0.001
    assert not change[248:].any()


def test_light_from_the_left_lights_the_left():
    for number in PEOPLE[:4]:
        left, right = lit(seen(number), -1.0), lit(seen(number), 1.0)
        face = slice(90, 200)
        assert left[face, 85:115].mean() > 1.2 * right[face, 85:115].mean()
        assert right[face, 141:171].mean() > 1.2 * left[face, 141:171].mean()


def test_nothing_shows_beside_the_shoulders_and_clothes_go_on_below():
    view = project(paint_bust(20, 256), Pose(), Framing(0.0, 1.5, 3.0, 0.0), square(SIDE))
    x, y = Framing(0.0, 1.5, 3.0, 0.0).to_face(*square(SIDE).grid())
    assert not view.cover[np.abs(x) > 1.33].any()
    assert view.cover[(y > 1.3) & (np.abs(x) < 0.4)].all()
