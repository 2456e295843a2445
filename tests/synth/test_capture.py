"""From scene to recorded picture: frames of any size, lens, sensor and codecs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.imaging.codec import recorded
from rfmeta_dist.synth.optics.camera import Camera, Settings, see, set_up
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.optics.sensor import capture, record
from rfmeta_dist.synth.place.rooms import ROOMS, paint_backdrop
from tests.synth.recordings import TYPES, pictures, shots, video

NONE = (0.0, 0.0)
CAMERA = Camera(
    *("test", 3.0, 5.0, (500.0, 500.0)),
    defocus=(0.4, 0.4),
    vignette=NONE,
    balance=NONE,
    noise=NONE,
    exposure=NONE,
    denoise=NONE,
    flare=NONE,
)
CROP = Framing(0.0, 0.0, 0.25, 0.0)


def settings(**changes: object) -> Settings:
    """Of 96 pixels across the crop, each with one sample of the scene."""
    drawn = set_up(CAMERA, CROP, 64, generator("camera"))
    return replace(drawn, sensor=96, scene=96, sharpen=0.0, contrast=1.0, saturation=1.0, **changes)


def taken(radiance: np.ndarray, chosen: Settings) -> np.ndarray:
    return capture(radiance.astype(np.float32), see(chosen), chosen, generator("noise")).astype(float)


@pytest.mark.parametrize("attack_type", TYPES)
def test_a_frame_shows_the_crop_in_its_place(attack_type):
    crop, frame = pictures(video(attack_type), [1.0])[0], pictures(video(attack_type), [1.0], (176, 208))[0]
    assert frame.shape == (176, 208, 3)
    near, far = (shots(video(attack_type), [1.0], size)[0].face for size in (None, (176, 208)))
    left, top = round(far.left - near.left), round(far.top - near.top)
    assert 0 <= left <= 208 - crop.shape[1]
    assert 0 <= top <= 176 - crop.shape[0]
    cut = frame[top : top + crop.shape[0], left : left + crop.shape[1]]
    # Exposure is metered on the same part; noise, codec and the source's own framing differ.
    assert np.corrcoef(cut.ravel(), crop.ravel())[0, 1] > 0.85
    assert far.eyes[0][0] - near.eyes[0][0] == pytest.approx(left, abs=1.0)


@pytest.mark.parametrize("frame", [(96, 96), (120, 160), (480, 270)])
def test_the_crop_lies_inside_the_frame_on_an_even_pixel(frame):
    for take in range(10):
        drawn = replace(set_up(CAMERA, CROP, 64, generator("take", take)), sensor=96, scene=64, frame=frame)
        scene, pixels = see(drawn, whole=True)
        assert (pixels.height, pixels.width) == frame
        assert (scene.left, scene.top) == (pixels.left, pixels.top)
        assert scene.width * scene.pitch >= pixels.width * pixels.pitch - 1e-6
        first = np.array([-1.0 - pixels.left, -1.0 - pixels.top]) / pixels.pitch
        assert np.allclose(first, np.round(first), atol=1e-6)
        assert not (np.round(first) % 2).any()
        assert (first >= 0).all()
        assert (np.round(first) + drawn.sensor <= [frame[1], frame[0]]).all()


def test_the_face_is_where_the_shot_says():
    for attack_type in TYPES:
        shot, picture = shots(video(attack_type), [1.0])[0], pictures(video(attack_type), [1.0])[0]
        height, width = picture.shape[:2]
        face = shot.face
        (x, y), (x2, y2) = face.eyes
        assert 0 < face.left < x < x2 < face.right < width
        assert 0 <= face.top < min(y, y2)
        assert max(y, y2) < face.bottom < 1.15 * height
        assert 0.2 < (x2 - x) / (face.right - face.left) < 0.6


def test_more_light_is_no_brighter_but_more_exposure_is():
    scene = np.full((96, 96, 3), 0.3) * [1.55, 1.0, 0.75]
    plain, bright, over = (
        taken(scene, settings()),
        taken(scene * 7, settings()),
        taken(scene, settings(exposure=1.0)),
    )
    assert np.allclose(plain, bright, atol=1)
    assert over.mean() > plain.mean() + 30


def test_white_balance_takes_away_a_part_of_a_cast():
    scene = np.full((96, 96, 3), 0.3) * [1.55, 1.0, 0.75]
    scene[40:56, 40:56] = 0.001  # something black, or the black level would be taken from the rest

    def cast(chosen: Settings) -> float:
        neutral, orange = (taken(light, chosen)[:32] for light in (scene, scene * [1.3, 1.0, 0.6]))
        return float((orange[..., 0] / orange[..., 2]).mean() / (neutral[..., 0] / neutral[..., 2]).mean())

    assert 1.05 < cast(settings()) < (1.3 / 0.6) ** (1 / 2.2)
    assert cast(settings(automatic=0.0)) == pytest.approx((1.3 / 0.6) ** (1 / 2.2), rel=0.1)


def test_black_level_takes_away_most_of_a_veil_and_no_more():
    scene = np.full((96, 96, 3), 0.3)
    scene[40:56, 40:56] = 0.001
    clear, veiled, left = (
        taken(light, chosen)[45:51, 45:51].mean()
        for light, chosen in (
            (scene, settings()),
            (scene + 0.03, settings()),
            (scene + 0.03, settings(automatic=0.0)),
        )
    )
    assert 0 < veiled - clear < 0.5 * (left - clear)


def test_vignetting_darkens_away_from_the_lens_axis():
    picture = taken(np.full((96, 96, 3), 0.3), settings(vignette=0.5, centre=(-1.0, -1.0)))
    assert picture[:8, :8].mean() > picture[-8:, -8:].mean() + 15


@pytest.mark.parametrize("file_format", ["jpeg", "h264"])
def test_a_codec_repeats_itself_and_loses_more_at_lower_quality(file_format):
    # With noise that no codec has seen: what one quality has rounded, the same quality keeps.
    coded = pictures(video("live"), [0.5])[0]
    grain = generator("grain").normal(0.0, 4.0, coded.shape)
    picture = np.clip(coded + grain, 0, 255).astype(np.uint8)
    losses = []
    for quality in (30, 60, 90):
        first, second = (recorded(picture, file_format, quality) for _ in range(2))
        assert np.array_equal(first, second)
        assert first.shape == picture.shape
        losses.append(float(((first.astype(float) - picture) ** 2).mean()))
    assert losses[0] > losses[1] > losses[2] > 0


def test_a_camera_records_in_its_own_format():
    picture = pictures(video("live"), [0.5])[0]
    kept = [record(picture, settings(format=f, codec=60.0)) for f in ("jpeg", "h264")]
    assert not np.array_equal(*kept)


@pytest.mark.parametrize("kind", sorted(ROOMS))
def test_a_room_is_the_same_whatever_part_of_it_is_seen(kind):
    framing, frame = Framing(0.0, 0.0, 0.76, 0.0), Raster(-1.7, -2.0, 0.01, 320, 400)
    rows, columns = slice(96, 288), slice(104, 296)
    whole = paint_backdrop(kind, framing, frame, generator("room", kind))
    part = paint_backdrop(kind, framing, frame.part(rows, columns), generator("room", kind))
    assert whole.shape == (320, 400, 3)
    assert np.isfinite(whole).all()
    assert whole.min() > 0
    inner = (slice(20, -20), slice(20, -20))
    assert np.abs(whole[rows, columns][inner] - part[inner]).mean() < 0.02 * whole.mean()
    other = paint_backdrop(kind, framing, frame, generator("another room", kind))
    assert np.abs(whole - other).mean() > 0.05 * whole.mean()
