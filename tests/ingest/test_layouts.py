"""Every published recording is found with the right label, and unexpected files are reported."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from rfmeta_dist.core.types import SPLITS
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.check import compare, require_whole
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.recording import ATTACK_TYPES, Recording
from tests.ingest import layout_trees
from tests.ingest.layout_trees import touch

# (live, attack) by official split, and by the split their samples go to.
OFFICIAL = {
    "oulu_npu": {"train": (360, 1440), "validation": (270, 1080), "test": (360, 1440)},
    "casia_fasd": {"train": (60, 180), "test": (90, 270)},
    "replay_attack": {"train": (60, 300), "validation": (60, 300), "test": (80, 400)},
    "msu_mfsd": {"train": (30, 90), "test": (40, 120)},
    "replay_mobile": {"train": (120, 192), "validation": (160, 256), "test": (110, 192)},
    "siw": {"train": (714, 1702), "test": (599, 1454)},
}
HELD_OUT = {"casia_fasd": (15, 45), "msu_mfsd": (6, 18)}
TYPES = {
    "oulu_npu": {"live": 990, "print": 1980, "replay": 1980},
    "casia_fasd": {"live": 150, "warped": 150, "cut": 150, "replay": 150},
    "replay_attack": {"live": 200, "print": 200, "replay": 800},
    "msu_mfsd": {"live": 70, "print": 70, "replay": 140},
    "replay_mobile": {"live": 390, "print": 320, "replay": 320},
    "siw": {"live": 1313, "print": 653, "replay": 2503},
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
def surveys(trees: Mapping[str, Path]) -> Mapping[str, Survey]:
    return {name: LAYOUTS[name].survey(root) for name, root in trees.items()}


def live_and_attack(recordings: tuple[Recording, ...], field: str) -> dict[str, tuple[int, int]]:
    found = Counter((getattr(recording, field), recording.label) for recording in recordings)
    return {split: (found[split, 1], found[split, 0]) for split in SPLITS if found[split, 1] + found[split, 0]}


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_published_counts_are_found_by_split_and_class(surveys: Mapping[str, Survey], name: str):
    survey = surveys[name]
    assert live_and_attack(survey.recordings, "official") == OFFICIAL[name]
    assert len({recording.subject for recording in survey.recordings}) == SUBJECTS[name]
    assert (survey.missing, survey.unknown) == ((), ())
    assert not any(row.differs for row in compare(LAYOUTS[name], survey.recordings))
    require_whole(LAYOUTS[name], survey)


def test_totals_are_those_of_the_papers(surveys: Mapping[str, Survey]):
    totals = {name: len(surveys[name].recordings) for name in OFFICIAL}
    assert totals == {
        "oulu_npu": 4950,
        "casia_fasd": 600,
        "replay_attack": 1200,
        "msu_mfsd": 280,
        "replay_mobile": 1030,  # and 160 clips of enrolment, which are not for this task
        "siw": 4469,  # of the official lists; the set's page says 4,478
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
