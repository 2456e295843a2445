"""Layouts: every published recording is found with the right label, and nothing odd passes in silence."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.types import SPLITS
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.check import compare, require_content, require_whole
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.recording import ATTACK_TYPES, Recording
from tests.ingest import layout_trees
from tests.ingest.layout_trees import build, touch, write

NAMED = ("oulu_npu", "casia_fasd", "replay_attack", "msu_mfsd", "replay_mobile", "siw")

# (live, attack) by official split, and by the split their samples go to.
OFFICIAL = {
    "oulu_npu": {"train": (360, 1440), "validation": (270, 1080), "test": (360, 1440)},
    "casia_fasd": {"train": (60, 180), "test": (90, 270)},
    "replay_attack": {"train": (60, 300), "validation": (60, 300), "test": (80, 400)},
    "msu_mfsd": {"train": (30, 90), "test": (40, 120)},
    "replay_mobile": {"train": (120, 192), "validation": (160, 256), "test": (110, 192)},
    "siw": {"train": (714, 1703), "test": (599, 1462)},
}
HELD_OUT = {"casia_fasd": (15, 45), "msu_mfsd": (6, 18)}
TYPES = {
    "oulu_npu": {"live": 990, "print": 1980, "replay": 1980},
    "casia_fasd": {"live": 150, "warped": 150, "cut": 150, "replay": 150},
    "replay_attack": {"live": 200, "print": 200, "replay": 800},
    "msu_mfsd": {"live": 70, "print": 70, "replay": 140},
    "replay_mobile": {"live": 390, "print": 320, "replay": 320},
    "celeba_spoof": {"live": 150, "print": 150, "paper_mask": 150, "replay": 150, "mask": 50},
    "folder": {"live": 80, "print": 40},
}
SUBJECTS = {
    "oulu_npu": 55,
    "casia_fasd": 50,
    "replay_attack": 50,
    "msu_mfsd": 35,
    "replay_mobile": 40,
    "siw": 165,
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every data set as empty files at its published size; not to be changed."""
    top = tmp_path_factory.mktemp("trees")
    return {name: build(top / name, name) for name in LAYOUTS}


@pytest.fixture(scope="module")
def surveys(trees: Mapping[str, Path]) -> Mapping[str, Survey]:
    return {name: LAYOUTS[name].survey(root) for name, root in trees.items()}


def live_and_attack(recordings: tuple[Recording, ...], field: str) -> dict[str, tuple[int, int]]:
    found = Counter((getattr(recording, field), recording.label) for recording in recordings)
    return {split: (found[split, 1], found[split, 0]) for split in SPLITS if found[split, 1] + found[split, 0]}


@pytest.mark.parametrize("name", NAMED)
def test_the_published_counts_are_found_by_split_and_class(surveys: Mapping[str, Survey], name: str):
    survey = surveys[name]
    assert live_and_attack(survey.recordings, "official") == OFFICIAL[name]
    assert len({recording.subject for recording in survey.recordings}) == SUBJECTS[name]
    assert (survey.missing, survey.unknown) == ((), ())
    assert not any(row.differs for row in compare(LAYOUTS[name], survey.recordings))
    require_whole(LAYOUTS[name], survey)


def test_totals_are_those_of_the_papers(surveys: Mapping[str, Survey]):
    totals = {name: len(surveys[name].recordings) for name in NAMED}
    assert totals == {
        "oulu_npu": 4950,
        "casia_fasd": 600,
        "replay_attack": 1200,
        "msu_mfsd": 280,
        "replay_mobile": 1030,  # and 160 clips of enrolment, which are not for this task
        "siw": 4478,
    }


@pytest.mark.parametrize("name", TYPES)
def test_attack_types_are_told_apart(surveys: Mapping[str, Survey], name: str):
    assert Counter(recording.attack_type for recording in surveys[name].recordings) == TYPES[name]


@pytest.mark.parametrize("name", LAYOUTS)
def test_recordings_can_become_samples(surveys: Mapping[str, Survey], name: str):
    recordings = surveys[name].recordings
    domain = LAYOUTS[name].domain
    assert [r.path for r in recordings] == sorted(r.path for r in recordings)
    assert len({(r.video, r.frame) for r in recordings}) == len(recordings)
    splits = defaultdict(set)
    for recording in recordings:
        assert re.fullmatch(rf"{domain}-[A-Za-z0-9_-]+", recording.video)
        assert len(f"{recording.video}-000000") <= 90
        assert re.fullmatch(rf"{domain}-[A-Za-z0-9_-]+", recording.subject)
        assert recording.attack_type in (("live",) if recording.label else ATTACK_TYPES)
        splits[recording.subject].add(recording.split)
    assert all(len(found) == 1 for found in splits.values())
    assert {(r.split, r.label) for r in recordings} == {(split, label) for split in SPLITS for label in (0, 1)}


def test_the_domain_can_be_called_otherwise(trees: Mapping[str, Path]):
    recordings = LAYOUTS["msu_mfsd"].find(trees["msu_mfsd"], "msu")
    assert all(
        r.domain == "msu" and r.subject.startswith("msu-") and r.video.startswith("msu-") for r in recordings
    )


@pytest.mark.parametrize("name", HELD_OUT)
def test_sets_without_validation_hold_out_training_people(surveys: Mapping[str, Survey], name: str):
    recordings = surveys[name].recordings
    assert live_and_attack(recordings, "split")["validation"] == HELD_OUT[name]
    assert {r.official for r in recordings if r.split == "validation"} == {"train"}


def test_siw_holds_out_the_people_of_the_public_lists(surveys: Mapping[str, Survey]):
    held_out = {r.subject for r in surveys["siw"].recordings if r.split == "validation"}
    assert held_out == {f"S-{person}" for person in layout_trees.SIW_VALIDATION}


def test_celeba_holds_out_some_training_people_by_a_hash(surveys: Mapping[str, Survey]):
    survey = surveys["celeba_spoof"]
    held_out = {r.subject for r in survey.recordings if r.split == "validation"}
    assert 1 <= len(held_out) <= 12  # of 40
    assert "for validation" in survey.notes[0]


def test_the_same_number_in_both_casia_releases_is_two_people(surveys: Mapping[str, Survey]):
    subjects = {r.path: r.subject for r in surveys["casia_fasd"].recordings}
    assert subjects["train_release/5/HR_1.avi"] == "C-5"
    assert subjects["test_release/5/HR_1.avi"] == "C-25"


def test_msu_clips_stored_upside_down_are_turned(surveys: Mapping[str, Survey]):
    turned = [r for r in surveys["msu_mfsd"].recordings if r.rotation]
    assert [r.path for r in turned] == [
        f"scene01/real/real_client00{n}_android_SD_scene01.mp4" for n in (3, 5, 6, 7, 8, 9)
    ]
    assert {r.rotation for r in turned} == {180}


def test_oulu_protocols_are_read_from_its_lists(surveys: Mapping[str, Survey]):
    sizes = Counter((p, r.label) for r in surveys["oulu_npu"].recordings for p in r.protocols)
    published = {"1/train": (240, 960), "1/validation": (180, 720), "1/test": (120, 480)}
    published |= {"2/train": (360, 720), "2/validation": (270, 540), "2/test": (360, 720)}
    published |= {"3_2/train": (300, 1200), "3_2/validation": (225, 900), "3_2/test": (60, 240)}
    published |= {"4_6/train": (200, 400), "4_6/validation": (150, 300), "4_6/test": (20, 40)}
    assert {name: (sizes[name, 1], sizes[name, 0]) for name in published} == published
    assert sum(sizes.values()) == 29_880


def test_replay_attack_may_lie_in_its_archives_folders(tmp_path: Path, surveys: Mapping[str, Survey]):
    for path in layout_trees.replay_archives():
        touch(tmp_path / path)
    touch(tmp_path / "replayattack-devel/face-locations/devel/real/x.face")
    found = LAYOUTS["replay_attack"].survey(tmp_path)
    require_whole(LAYOUTS["replay_attack"], found)
    assert {r.video for r in found.recordings} == {r.video for r in surveys["replay_attack"].recordings}
    # … and without the name of the set repeated.
    (tmp_path / "replayattack-test/test").rename(tmp_path / "aside")
    (tmp_path / "replayattack-test").rmdir()
    (tmp_path / "aside").rename(tmp_path / "replayattack-test")
    require_whole(LAYOUTS["replay_attack"], LAYOUTS["replay_attack"].survey(tmp_path))


# --- trees that are not as published ---------------------------------------------------------------


@pytest.fixture
def msu(tmp_path: Path) -> Path:
    return build(tmp_path / "msu", "msu_mfsd")


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


# --- annotations ------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("line", ["3 4", "0 a b c d", "0 1 2 3 nan"])
def test_an_annotation_that_makes_no_sense_names_its_line(tmp_path: Path, line: str):
    name = "train/real/client001_session01_webcam_authenticate_adverse_1"
    with pytest.raises(DataError, match=r"client001.*\.face, line 2"):
        boxes("replay_attack", tmp_path, f"{name}.mov", f"face-locations/{name}.face", f"0 1 2 3 4\n{line}\n")


def test_no_annotation_is_none_and_a_vanished_one_an_error(surveys: Mapping[str, Survey], tmp_path: Path):
    casia = surveys["casia_fasd"].recordings[0]
    assert LAYOUTS["casia_fasd"].faces(casia, tmp_path) is None
    with pytest.raises(StorageError, match=r"1_1_21_1\.txt"):
        LAYOUTS["oulu_npu"].faces(surveys["oulu_npu"].recordings[0], tmp_path)


# --- CelebA-Spoof's lists ---------------------------------------------------------------------------

SPOOF = [0] * 40 + [1, 1, 1, 1]
LISTS = {
    "live in the list, spoof by its folder": ({"Data/train/1/spoof/1.png": [0] * 44}, "in folder spoof/"),
    "type and flag disagree": ({"Data/train/1/spoof/1.png": [0] * 40 + [1, 1, 1, 0]}, "says type 1, spoof 0"),
    "in the wrong list": ({"Data/test/1/spoof/1.png": SPOOF}, "cannot be in it"),
    "out of the tree": ({"Data/train/../1.png": SPOOF}, "cannot be in it"),
    "too short": ({"Data/train/1/spoof/1.png": [0] * 43}, "other than 44 known numbers"),
    "unknown type": ({"Data/train/1/spoof/1.png": [0] * 40 + [-1, 1, 1, 1]}, "other than 44 known"),
    "not a table": ([1], "not a table"),
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
