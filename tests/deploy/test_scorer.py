"""A face is cut as ingest cut it, judged at the package's threshold, or refused with a reason."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError, PackageError, PictureError
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.deploy.cutting import Cut, Cutter
from rfmeta_dist.deploy.results import Refused, Scored
from rfmeta_dist.deploy.scorer import Scorer
from rfmeta_dist.detectors.api import ScoreError
from rfmeta_dist.ingest.crop import CropRule, Native
from rfmeta_dist.ingest.extract import contract, extract
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.models import SHA256
from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.video import Every, Spread, read_frames
from tests.deploy.small_package import POINTS, RULE, SIDE, THRESHOLDS, expected, write_package
from tests.ingest.clips import FACE, Pixels, moving, scene, write_clip


@pytest.fixture(scope="module")
def scorer(package: Path) -> Scorer:
    return Scorer(package)


def encoded(picture: Pixels, ending: str = ".png") -> bytes:
    return cv2.imencode(ending, np.ascontiguousarray(picture[..., ::-1]))[1].tobytes()


def lit(picture: Pixels, factor: float) -> Pixels:
    return np.clip(picture * factor, 0, 255).astype(np.uint8)


def asked(size: list[int] | None, crop: dict[str, Any] | None, **others: Any) -> dict[str, Any]:
    """The input contract of a package."""
    found = {"size": size, "smallest": 32, "resize": "area", "crop": crop, "detector": dict(SHA256)}
    return found | others


def crop_of(picture: Pixels, faces: Faces) -> Pixels:
    """The crop that ingest stores, as training reads it at the model's size."""
    (crop,) = extract(encoded(picture), label=1, frames=Every(1), faces=faces, rule=RULE).crops
    stored = decode_image(crop.image, "jpg", (128, 128))
    return cv2.resize(stored, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


PICTURES = {
    "one in a room": scene((0, 140, 60)),
    "at the edge, so that the square goes beyond the picture": scene((1, -1 + 289, 0)),
    "lying, and turned upright": np.rot90(scene((0, 140, 60))).copy(),
    "upside down": np.rot90(scene((1, 140, 60)), 2).copy(),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize(
    "rule",
    [CropRule(128), CropRule(256, 2.0), CropRule(96, lossless=True), CropRule(Native(32))],
    ids=["jpeg", "wide", "png", "native"],
)
def test_a_scored_face_has_the_pixels_that_ingest_stores(faces: Faces, picture: Pixels, rule: CropRule):
    found = extract(encoded(picture), label=1, frames=Every(1), faces=faces, rule=rule)
    data, ending = found.crops[0].image, "png" if rule.lossless else "jpg"
    side = decode_side(data)
    stored = decode_image(data, ending, (side, side))
    about = asked([side, side], contract(Every(1), rule)["crop"])
    (frame,) = read_frames(encoded(picture), Every(1))
    cut = Cutter.of(about, "here").cut(faces, frame)
    assert isinstance(cut, Cut)
    assert cut.turned == found.turned
    np.testing.assert_array_equal(cut.crop, stored)


def decode_side(data: bytes) -> int:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[0]


def test_the_score_is_that_of_the_stored_crop_and_the_verdict_follows_the_threshold(
    scorer: Scorer, faces: Faces
):
    verdicts = []
    for factor in (0.7, 1.0, 1.3):
        picture = lit(scene((0, 140, 60)), factor)
        result = scorer.score(picture)
        assert isinstance(result, Scored)
        assert result.score == pytest.approx(expected(crop_of(picture, faces)), abs=1e-6)
        assert result.verdict == ("live" if result.score >= THRESHOLDS["frame"] else "attack")
        assert result.decision.origin == "equal error rate on validation splits of A, B"
        verdicts.append(result.verdict)
    assert set(verdicts) == {"live", "attack"}


def test_another_operating_point_has_its_own_threshold_and_name(package: Path, scorer: Scorer):
    strict, picture = Scorer(package, operating_point="bpcer@apcer1"), lit(scene((0, 140, 60)), 1.3)
    ours, theirs = scorer.score(picture), strict.score(picture)
    assert isinstance(ours, Scored)
    assert isinstance(theirs, Scored)
    assert (ours.score, ours.verdict, theirs.verdict) == (theirs.score, "live", "attack")
    assert (theirs.decision.threshold, theirs.decision.operating_point) == (POINTS["frame"], "bpcer@apcer1")
    with pytest.raises(ConfigError, match=r"no operating point 'eer2'; choose one of: bpcer@apcer1"):
        Scorer(package, operating_point="eer2")


def test_the_box_is_around_the_face(scorer: Scorer):
    result = scorer.score(scene((0, 140, 60)))
    assert isinstance(result, Scored)
    x, y, width, height = result.box
    assert 140 < x < x + width < 140 + FACE
    assert 60 < y < y + height < 60 + FACE


def blurred(picture: Pixels) -> Pixels:
    return cv2.GaussianBlur(picture, (0, 0), 6)


REFUSED = {
    "no_face": scene(),
    "several_faces": scene((0, 20, 60), (1, 260, 60)),
    "too_small": cv2.resize(scene((0, 140, 60)), None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA),
    "too_dark": lit(scene((0, 140, 60)), 0.12),
    "blurred": blurred(scene((0, 140, 60))),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_picture_that_is_not_fit_is_refused_with_its_reason(scorer: Scorer, reason: str):
    result = scorer.score(REFUSED[reason])
    assert isinstance(result, Refused)
    assert (result.reason, result.verdict) == (reason, "refused")
    assert result.words.endswith(".")
    assert (result.box is None) == (reason == "no_face")


def test_every_generated_person_is_fit_to_be_scored(scorer: Scorer):
    results = scorer.score_many([scene((number, 140, 60)) for number in range(4)])
    assert [result.verdict for result in results].count("refused") == 0


def test_a_batch_gives_each_picture_the_result_that_it_has_alone(scorer: Scorer):
    pictures = [*REFUSED.values(), *(scene((n % 3, 100 + 9 * n, 60)) for n in range(11)), encoded(scene())]
    assert scorer.score_many(pictures) == [scorer.score(picture) for picture in pictures]
    assert scorer.score_many([]) == []


def test_threads_share_one_scorer(scorer: Scorer):
    pictures = [scene((n % 3, 100 + 9 * n, 60)) for n in range(12)]
    alone = [scorer.score(picture) for picture in pictures]
    assert len({result.box for result in alone}) == 12
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(scorer.score, pictures)) == alone


WRONG = {
    "empty": b"",
    "text": b"hello, I am a text named photo.jpg",
    "gif": b"GIF89a" + bytes(40),
    "heic": b"\0\0\0\x18ftypheic" + bytes(40),
    "cut short": encoded(scene((0, 140, 60)), ".jpg")[:5000],
    "bomb": encoded(np.zeros((8, 8, 3), np.uint8), ".bmp")[:18] + (30000).to_bytes(4, "little") * 2 + bytes(40),
    "floats": np.zeros((64, 64, 3), np.float32),
    "grey": np.zeros((64, 64), np.uint8),
    "no pixel": np.zeros((0, 64, 3), np.uint8),
}


@pytest.mark.parametrize("picture", WRONG.values(), ids=WRONG)
def test_what_is_no_picture_is_an_error_of_its_own_type(scorer: Scorer, picture):
    with pytest.raises(PictureError) as caught:
        scorer.score(picture)
    assert "\n" not in str(caught.value)
    with pytest.raises(PictureError, match="picture 2 of 2"):
        scorer.score_many([scene(), picture])


def test_a_picture_of_one_pixel_has_no_face(scorer: Scorer):
    for side in ((1, 1, 3), (1, 5000, 3), (5000, 1, 3)):
        result = scorer.score(np.zeros(side, np.uint8))
        assert isinstance(result, Refused)
        assert result.reason == "no_face"


def test_a_video_is_judged_by_the_mean_of_its_frames(scorer: Scorer, tmp_path: Path):
    frames = [lit(picture, 0.8 + 0.1 * n) for n, picture in enumerate(moving(0, 9))]
    path = write_clip(tmp_path / "a.mp4", frames)
    found = scorer.score_video(path, Spread(3))
    assert [number for number, _ in found.frames] == [1, 4, 7]
    scores = [result.score for _, result in found.frames if isinstance(result, Scored)]
    assert len(set(scores)) == 3
    assert found.score == pytest.approx(np.mean(scores))
    assert found.decision.threshold == THRESHOLDS["video"]
    assert found == scorer.score_video(path.read_bytes(), Spread(3))


def test_a_video_is_refused_if_most_of_its_frames_are(scorer: Scorer, tmp_path: Path):
    faces, empty = moving(0, 4), [scene()] * 5
    found = scorer.score_video(write_clip(tmp_path / "a.mov", faces + empty), Every(1))
    assert (found.score, found.verdict) == (None, "refused")
    assert "4 of 9" in found.words
    fit = scorer.score_video(write_clip(tmp_path / "b.mov", faces + empty[:4]), Every(1))
    assert fit.verdict in ("live", "attack")


def test_a_lying_video_is_turned_as_ingest_turns_it(scorer: Scorer, tmp_path: Path):
    lying = [np.rot90(picture).copy() for picture in moving(0, 5)]
    seen = []
    found = scorer.score_video(
        write_clip(tmp_path / "a.mov", lying), Spread(3), lambda frame, result: seen.append((frame, result))
    )
    upright = scorer.score_video(write_clip(tmp_path / "b.mov", moving(0, 5)), Spread(3))
    assert found.score == pytest.approx(upright.score, abs=0.02)
    assert {result.turned for _, result in found.frames} == {90}
    assert seen[-1][0].orientation == Orientation(degrees=90)


def test_a_package_that_cannot_be_used_says_why(tmp_path: Path, faces: Faces):
    other = asked([SIDE, SIDE], None, detector={"another.tflite": "0" * 64})
    with pytest.raises(PackageError, match="other face models"):
        Scorer(write_package(tmp_path / "models", input=other))
    rule = {**contract(Every(1), CropRule(128))["crop"], "aligned": True}
    with pytest.raises(PackageError, match="another version"):
        Scorer(write_package(tmp_path / "rule", input=asked([SIDE, SIDE], rule)))
    with pytest.raises(PackageError, match="cannot be used: it has image"):
        Scorer(write_package(tmp_path / "size", input=asked([32, 32], None)))
    with pytest.raises(ScoreError, match="not a number from 0 to 1"):
        Scorer(write_package(tmp_path / "gain", gain=40)).score(scene((0, 140, 60)))
    with pytest.raises(ConfigError, match="0 threads"):
        Scorer(write_package(tmp_path / "threads"), threads=0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", [SIDE]),
        ("size", [81, 81]),
        ("size", "large"),
        ("detector", ["another.tflite"]),
        ("crop", 7),
        ("crop", {"size": "x"}),
        ("color", "BGR"),
        ("dtype", "float32"),
    ],
)
def test_an_input_that_this_version_cannot_give_is_refused_before_a_picture_is_read(
    tmp_path: Path, field, value
):
    contract = {**asked([SIDE, SIDE], None, resize=None), field: value}
    with pytest.raises(PackageError, match=r"cannot cut faces as the package .* asks for"):
        Cutter.of(contract, str(tmp_path))


def test_a_model_of_patches_gets_crops_of_the_size_that_the_picture_has(tmp_path: Path, faces: Faces):
    rule = CropRule(Native(32))
    patches = Scorer(
        write_package(tmp_path / "patches", input=asked(None, contract(Every(1), rule)["crop"], resize=None))
    )
    pictures = [scene((0, 140, 60)), cv2.resize(scene((0, 140, 60)), None, fx=1.5, fy=1.5), scene((1, 140, 60))]
    results = patches.score_many(pictures)
    assert results == [patches.score(picture) for picture in pictures]
    for picture, result in zip(pictures, results, strict=True):
        (crop,) = extract(encoded(picture), label=1, frames=Every(1), faces=faces, rule=rule).crops
        assert isinstance(result, Scored)
        stored = cv2.imdecode(np.frombuffer(crop.image, np.uint8), cv2.IMREAD_COLOR)
        assert result.score == pytest.approx(expected(stored), abs=2e-3)  # another decoder of JPEG


def test_generated_training_faces_leave_a_note(tmp_path: Path, faces: Faces, scorer: Scorer):
    generated = Scorer(write_package(tmp_path / "generated", rule=None))
    assert "does not say how the training faces were cut" in generated.note
    assert scorer.note == ""
    assert generated.score(scene((0, 140, 60))).verdict in ("live", "attack")
    whole = Scorer(write_package(tmp_path / "own", input=asked([SIDE, SIDE], None, resize=None)))
    assert isinstance(whole.score(scene((0, 140, 60))), Scored)
    free = Scorer(write_package(tmp_path / "free", input=asked(None, None, resize=None)))
    assert isinstance(free.score(scene((0, 140, 60))), Scored)


def test_upright_pictures_are_not_searched_for_lying_faces(package: Path, scorer: Scorer):
    upright, picture = Scorer(package, upright=True), scene((0, 140, 60))
    assert upright.score(picture) == scorer.score(picture)
    for turns in (1, 2, 3):
        result = upright.score(np.rot90(picture, turns).copy())
        assert isinstance(result, Refused)
        assert result.reason in ("lying", "no_face")
