"""For trees and lists that differ from the published ones, the error names what is missing, extra or wrong."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.check import require_content, require_whole
from tests.ingest.layout_trees import build, touch, write


@pytest.fixture
def msu(tmp_path: Path) -> Path:
    return build(tmp_path / "msu", "msu_mfsd")


NAMED = ("oulu_npu", "casia_fasd", "replay_attack", "msu_mfsd", "replay_mobile", "siw")  # fixed file names
LAPTOP = "scene01/real/real_client001_laptop_SD_scene01.mov"


def refusal(root: Path, name: str = "msu_mfsd") -> str:
    with pytest.raises(DataError) as caught:
        require_whole(LAYOUTS[name], LAYOUTS[name].survey(root))
    assert "--accept-counts" in caught.value.remedy
    return caught.value.problem


def test_a_missing_recording_is_named(msu: Path):
    (msu / LAPTOP).unlink()
    problem = refusal(msu)
    assert re.search(r"test +live +published +40 +found +39", problem)
    assert f"missing: 1\n    {LAPTOP}" in problem
    assert "not recognised" not in problem


def test_an_extra_recording_is_named(msu: Path):
    extra = "scene01/real/real_client056_laptop_SD_scene01.mov"
    touch(msu / extra)
    assert f"not recognised: 1\n    {extra}" in refusal(msu)


def test_a_renamed_recording_is_named_before_and_after(msu: Path):
    (msu / LAPTOP).rename((msu / LAPTOP).with_suffix(".avi"))
    problem = refusal(msu)
    assert f"missing: 1\n    {LAPTOP}" in problem
    assert f"not recognised: 1\n    {LAPTOP[:-4]}.avi" in problem


def test_a_person_in_the_wrong_set_is_not_recognised(tmp_path: Path):
    root = build(tmp_path, "casia_fasd")
    (root / "test_release/30").rename(root / "train_release/21")
    survey = LAYOUTS["casia_fasd"].survey(root)
    assert len(survey.unknown) == len(survey.missing) == 12
    assert "and 7 more" in refusal(root, "casia_fasd")


def test_the_same_clip_twice_is_taken_once(tmp_path: Path):
    root = build(tmp_path, "replay_attack")
    again = "replayattack-test/test/real/client009_session01_webcam_authenticate_adverse_1.mov"
    touch(root / again)
    survey = LAYOUTS["replay_attack"].survey(root)
    assert len(survey.recordings) == 1200
    assert len(survey.unknown) == 1


def test_documents_and_hidden_files_are_no_strangers_but_others_are_listed(msu: Path):
    for name in ("README", "scene01/paper.pdf", "scene01/real/._x.mov", ".cache/x.mov", "setup.exe"):
        touch(msu / name)
    survey = LAYOUTS["msu_mfsd"].survey(msu)
    assert survey.unknown == ("setup.exe",)
    require_whole(LAYOUTS["msu_mfsd"], survey)


def test_empty_files_count_as_present_but_are_refused_as_content(msu: Path):
    for path in (msu / "scene01").rglob("*.m*"):
        path.write_bytes(b"x")
    (msu / LAPTOP).write_bytes(b"")
    survey = LAYOUTS["msu_mfsd"].survey(msu)
    assert survey.empty == (LAPTOP,)
    require_whole(LAYOUTS["msu_mfsd"], survey)
    with pytest.raises(DataError, match=re.escape(LAPTOP)):
        require_content(survey)
    (msu / LAPTOP).write_bytes(b"x")
    require_content(LAYOUTS["msu_mfsd"].survey(msu))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_wrong_folder_is_told_so(trees: Mapping[str, Path], tmp_path: Path, name: str):
    layout = LAYOUTS[name]
    with pytest.raises(DataError, match=r"is not a folder|has no labels|no lists"):
        layout.survey(tmp_path / "nowhere")
    with pytest.raises(DataError) as caught:
        layout.survey(tmp_path)
    assert caught.value.remedy
    if name in NAMED:  # one folder too high
        (tmp_path / "inner").symlink_to(trees[name])
        with pytest.raises(DataError) as caught:
            layout.survey(tmp_path)
        assert f"perhaps {tmp_path / 'inner'}" in caught.value.remedy


def test_links_are_followed_but_not_in_circles(msu: Path, tmp_path: Path):
    (msu / "scene01/real").rename(tmp_path / "elsewhere")
    (msu / "scene01/real").symlink_to(tmp_path / "elsewhere")
    (msu / "scene01/attack/top").symlink_to(msu)
    survey = LAYOUTS["msu_mfsd"].survey(msu)
    require_whole(LAYOUTS["msu_mfsd"], survey)
    assert survey.unknown == ()


def test_a_link_into_nothing_is_empty(msu: Path):
    (msu / LAPTOP).unlink()
    (msu / LAPTOP).symlink_to("gone.mov")
    assert LAPTOP in LAYOUTS["msu_mfsd"].survey(msu).empty


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_access_is_an_error(msu: Path):
    (msu / "scene01/real").chmod(0)
    with pytest.raises(StorageError, match="scene01/real"):
        LAYOUTS["msu_mfsd"].survey(msu)


@pytest.mark.parametrize("row", ["-1,1_1_01_1", "+1,1_1_01_2", "-2,1_1_01_1"])
def test_an_oulu_list_that_contradicts_a_name_is_refused(tmp_path: Path, row: str):
    touch(tmp_path / "Train_files/1_1_01_1.avi")
    write(tmp_path / "Protocols/Protocol_1/Train.txt", f"+1,2_1_01_1\n{row}\n")
    with pytest.raises(DataError, match=r"Protocols/Protocol_1/Train.txt, line 2: 1_1_01_\d is type"):
        LAYOUTS["oulu_npu"].survey(tmp_path)


def test_an_oulu_list_may_mark_replays_apart_but_not_be_nonsense(tmp_path: Path):
    touch(tmp_path / "Test_files/1_1_36_4.avi")
    path = write(tmp_path / "Protocols/Protocol_3/Test_1.txt", "-2,1_1_36_4\n\n")
    (recording,) = LAYOUTS["oulu_npu"].find(tmp_path)
    assert recording.protocols == {"3_1/test"}
    path.write_text("hello\n")
    with pytest.raises(DataError, match=r"Test_1\.txt, line 1"):
        LAYOUTS["oulu_npu"].survey(tmp_path)


SPOOF = [0] * 40 + [1, 1, 1, 1]
LISTS = {
    "live in the list, spoof by its folder": ({"Data/train/1/spoof/1.png": [0] * 44}, "in folder spoof/"),
    "type and flag disagree": ({"Data/train/1/spoof/1.png": [0] * 40 + [1, 1, 1, 0]}, "says type 1, spoof 0"),
    "in the wrong list": ({"Data/test/1/spoof/1.png": SPOOF}, "which is not a train image"),
    "out of the tree": ({"Data/train/../1.png": SPOOF}, "which is not a train image"),
    "too short": (
        {"Data/train/1/spoof/1.png": [0] * 43},
        r"does not describe Data/train/1/spoof/1\.png by 44 numbers",
    ),
    "unknown type": ({"Data/train/1/spoof/1.png": [0] * 40 + [-1, 1, 1, 1]}, "by 44 numbers of known meaning"),
    "not a table": ([1], "does not map the paths of images"),
}


@pytest.mark.parametrize(("content", "problem"), LISTS.values(), ids=LISTS.keys())
def test_a_celeba_list_that_contradicts_itself_is_refused(tmp_path: Path, content, problem: str):
    write(tmp_path / "metas/intra_test/train_label.json", json.dumps(content))
    with pytest.raises(DataError, match=problem):
        LAYOUTS["celeba_spoof"].survey(tmp_path)


def test_celeba_images_are_checked_against_the_lists(tmp_path: Path):
    root = build(tmp_path, "celeba_spoof")
    (root / "Data/train/1/live/000001.jpg").rename(root / "Data/train/1/live/000099.jpg")
    problem = refusal(root, "celeba_spoof")
    assert "missing: 1\n    Data/train/1/live/000001.jpg" in problem
    assert "not recognised: 1\n    Data/train/1/live/000099.jpg" in problem
    (root / "metas/intra_test/train_label.json").write_text("{")
    with pytest.raises(DataError, match=r"train_label\.json is not JSON"):
        LAYOUTS["celeba_spoof"].survey(root)
