"""Each layout's face annotations become boxes, and an invalid line raises an error that names it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.recording import Recording
from tests.ingest.layout_trees import touch, write


def boxes(name: str, root: Path, video: str, annotation: str, text: str):
    touch(root / video)
    write(root / annotation, text)
    (recording,) = LAYOUTS[name].find(root)
    assert recording.annotation == annotation
    return LAYOUTS[name].faces(recording, root)


def test_replay_attack_annotations(tmp_path: Path):
    name = "train/real/client001_session01_webcam_authenticate_adverse_1"
    text = "0 100 50 80 90\n1 0 0 0 0\n2 101 51 80 90\n"
    found = boxes("replay_attack", tmp_path, f"{name}.mov", f"face-locations/{name}.face", text)
    assert found == {0: (100, 50, 80, 90), 2: (101, 51, 80, 90)}


def test_msu_annotations(tmp_path: Path):
    name = "scene01/attack/attack_client001_android_SD_ipad_video_scene01"
    text = "1,244,83,424,263,300,140,360,141\n2, 245, 84, 425, 264, 0, 0, 0, 0,\n"
    found = boxes("msu_mfsd", tmp_path, f"{name}.mp4", f"{name}.face", text)
    assert found == {1: (244, 83, 180, 180), 2: (245, 84, 180, 180)}


def test_msu_clips_that_are_turned_have_no_annotation(tmp_path: Path):
    name = "scene01/real/real_client003_android_SD_scene01"
    touch(tmp_path / f"{name}.mp4")
    write(tmp_path / f"{name}.face", "1,244,83,424,263\n")
    (recording,) = LAYOUTS["msu_mfsd"].find(tmp_path)
    assert LAYOUTS["msu_mfsd"].faces(recording, tmp_path) is None


def test_oulu_annotations_give_a_box_around_the_eyes(tmp_path: Path):
    name = "Train_files/1_1_01_1"
    text = "0,470,820,640,820\n1,0,0,0,0\n"
    found = boxes("oulu_npu", tmp_path, f"{name}.avi", f"{name}.txt", text)
    assert found is not None
    (x, y, width, height) = found.pop(0)
    assert not found
    assert x < 470 - 0.4 * 170
    assert x + width > 640 + 0.4 * 170
    assert x + width / 2 == pytest.approx(555)
    assert 1.0 < height / width < 1.5
    assert 0.3 < (820 - y) / height < 0.5  # eyes above the middle


def test_siw_annotations(tmp_path: Path):
    name = "Test/live/153/153-2-1-1-1"
    found = boxes("siw", tmp_path, f"{name}.m.mov", f"{name}.face", "10 20 110 140\n0 0 0 0\n12 20 112 140\n")
    assert found == {0: (10, 20, 100, 120), 2: (12, 20, 100, 120)}


def test_celeba_annotations_are_scaled_to_the_image(tmp_path: Path):
    path = "Data/train/7/live/000001.jpg"
    write(tmp_path / "metas/intra_test/train_label.json", json.dumps({path: [0] * 44}))
    write(tmp_path / "Data/train/7/live/000001_BB.txt", "56 28 112 140 0.997\n")
    (tmp_path / path).write_bytes(cv2.imencode(".jpg", np.zeros((672, 448, 3), np.uint8))[1].tobytes())
    (recording,) = LAYOUTS["celeba_spoof"].find(tmp_path)
    assert recording.kind == "image"
    assert LAYOUTS["celeba_spoof"].faces(recording, tmp_path) == {0: (112, 84, 224, 420)}
    (tmp_path / path).write_bytes(b"no image")
    with pytest.raises(DataError, match=r"000001\.jpg is not a readable image"):
        LAYOUTS["celeba_spoof"].faces(recording, tmp_path)


@pytest.mark.parametrize("blank", ["nan nan nan nan", "None None None None", "- - - -", "NA NA NA NA"])
def test_words_for_empty_cells_say_that_no_face_was_found(tmp_path: Path, blank: str):
    name = "train/real/client001_session01_webcam_authenticate_adverse_1"
    text = f"0 1 2 3 4\n1 {blank}\n2 1 2 3 4\n"
    found = boxes("replay_attack", tmp_path / "I", f"{name}.mov", f"face-locations/{name}.face", text)
    assert found == {0: (1, 2, 3, 4), 2: (1, 2, 3, 4)}
    name = "Test/live/001/001-2-1-1-1"
    found = boxes("siw", tmp_path / "S", f"{name}.mov", f"{name}.face", f"{blank}\n12 20 112 140\n")
    assert found == {1: (12, 20, 100, 120)}
    name, commas = "Train_files/1_1_01_1", blank.replace(" ", ",")
    found = boxes("oulu_npu", tmp_path / "O", f"{name}.avi", f"{name}.txt", f"0,{commas}\n1,470,820,640,820\n")
    assert found is not None
    assert list(found) == [1]


CONTENTS = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WebP": ".webp"}


def celeba(root: Path, ending: str, content: bytes) -> Recording:
    path = f"Data/train/7/spoof/000001{ending}"
    write(root / "metas/intra_test/train_label.json", json.dumps({path: [0] * 40 + [1] * 4}))
    write(root / "Data/train/7/spoof/000001_BB.txt", "56 28 112 140 0.997\n")
    (root / path).write_bytes(content)
    (recording,) = LAYOUTS["celeba_spoof"].find(root)
    return recording


@pytest.mark.parametrize("ending", [".jpg", ".png"])
@pytest.mark.parametrize("kind", [*CONTENTS, "grey PNG", "16-bit PNG", "transparent PNG"])
def test_celeba_boxes_are_scaled_whatever_the_file_is_inside(tmp_path: Path, ending: str, kind: str):
    black = np.zeros((672, 448, 3), np.uint8)
    black = {
        "grey PNG": black[..., 0],
        "16-bit PNG": black.astype(np.uint16),
        "transparent PNG": np.zeros((672, 448, 4), np.uint8),
    }.get(kind, black)
    content = cv2.imencode(CONTENTS.get(kind, ".png"), black)[1].tobytes()
    recording = celeba(tmp_path, ending, content)
    assert LAYOUTS["celeba_spoof"].faces(recording, tmp_path) == {0: (112, 84, 224, 420)}


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a"])
def test_celeba_images_that_are_none_are_named(tmp_path: Path, content: bytes):
    recording = celeba(tmp_path, ".png", content)
    with pytest.raises(DataError, match=r"000001\.png is not a readable image"):
        LAYOUTS["celeba_spoof"].faces(recording, tmp_path)


@pytest.mark.parametrize("line", ["3 4", "0 a b c d", "0 1 2 3 nan"])
def test_an_annotation_that_makes_no_sense_names_its_line(tmp_path: Path, line: str):
    name = "train/real/client001_session01_webcam_authenticate_adverse_1"
    with pytest.raises(DataError, match=r"client001.*\.face, line 2"):
        boxes("replay_attack", tmp_path, f"{name}.mov", f"face-locations/{name}.face", f"0 1 2 3 4\n{line}\n")


def test_no_annotation_is_none_and_a_vanished_one_an_error(tmp_path: Path):
    touch(tmp_path / "train_release/1/1.avi")
    (casia,) = LAYOUTS["casia_fasd"].find(tmp_path)
    assert LAYOUTS["casia_fasd"].faces(casia, tmp_path) is None
    touch(tmp_path / "Train_files/1_1_01_1.avi")
    write(tmp_path / "Train_files/1_1_01_1.txt", "0,470,820,640,820\n")
    (oulu,) = LAYOUTS["oulu_npu"].find(tmp_path)
    (tmp_path / "Train_files/1_1_01_1.txt").unlink()
    with pytest.raises(StorageError, match=r"1_1_01_1\.txt"):
        LAYOUTS["oulu_npu"].faces(oulu, tmp_path)
