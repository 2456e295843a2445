"""A label table is read in all usual spellings; otherwise one line says where it cannot be read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.check import require_whole
from tests.ingest.label_tables import FOLDER, HEADER, one, table
from tests.ingest.layout_trees import build, touch, write


def test_a_table_says_everything(tmp_path: Path):
    survey = table(
        tmp_path,
        "a.mp4,bonafide,,ann,,train,",
        "b/c.mp4,Spoof,mask,ann,take-2,train,",
        "i1.jpg,1,live,bob,still,test,d.png",
        "i2.jpg,1,live,bob,still,test,",
    )
    found = {r.path: r for r in survey.recordings}
    assert [(r.label, r.attack_type, r.kind, r.split) for r in found.values()] == [
        (1, "live", "video", "train"),
        (0, "mask", "video", "train"),
        (1, "live", "image", "test"),
        (1, "live", "image", "test"),
    ]
    assert [r.video for r in found.values()] == ["mine-a", "mine-take-2", "mine-still", "mine-still"]
    assert (found["i1.jpg"].frame, found["i2.jpg"].frame, found["i1.jpg"].depth) == (0, 1, "d.png")
    assert found["a.mp4"].subject == "mine-ann"
    assert (survey.unknown, survey.missing, survey.notes) == ((), (), ())
    assert FOLDER.faces(found["a.mp4"], tmp_path) is None


# --- what people write ------------------------------------------------------------------------------

LABELS = {
    1: ["1", "1.0", "live", "Live", "REAL", "bonafide", "bona fide", "Bona-Fide", "genuine"],
    0: ["0", "0.0", "attack", "Spoof", "fake"],
}


@pytest.mark.parametrize(
    ("word", "label"), [(word, label) for label, words in LABELS.items() for word in words]
)
def test_labels_have_many_words(tmp_path: Path, word: str, label: int):
    assert one(tmp_path, f"a.mp4,{word},,ann,,train,").label == label


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ("train", "train Train training"),
        ("validation", "validation valid val dev devel Development"),
        ("test", "test TEST testing"),
    ],
)
def test_splits_have_many_words(tmp_path: Path, split: str, words: str):
    for word in words.split():
        assert one(tmp_path, f"a.mp4,1,,ann,,{word},").split == split


ATTACKS = {
    "print": "Print",
    "printed photo": "print",
    "Print-Attack": "print",
    "warped_photo": "warped",
    "cut photo": "cut",
    "screen": "replay",
    "Video Replay": "replay",
    "3D mask": "mask",
    "3d-mask": "mask",
    "make-up": "makeup",
    "attack": "other",
    "": "other",
    "none": "other",
    "N/A": "other",
}


@pytest.mark.parametrize(("word", "kind"), [(w, k.lower()) for w, k in ATTACKS.items()])
def test_attacks_have_many_words(tmp_path: Path, word: str, kind: str):
    found = table(tmp_path, f"a.mp4,0,{word},ann,,train,")
    assert found.recordings[0].attack_type == kind
    assert "own" not in "".join(found.notes)


def test_attacks_of_a_kind_of_their_own_are_kept_and_said(tmp_path: Path):
    found = table(
        tmp_path,
        "a.mp4,0,Deep Fake,ann,,train,",
        "b/c.mp4,0,deep-fake,ann,,train,",
        "i1.jpg,0,wachs,bob,,test,",
    )
    assert [r.attack_type for r in found.recordings] == ["deep_fake", "deep_fake", "wachs"]
    own = "attack types that are not built in are kept as types of their own: deep_fake (2), wachs (1)"
    assert own in found.notes


@pytest.mark.parametrize("word", ["", "live", "Real", "bona fide", "none", "-", "nan"])
def test_a_live_recording_may_say_so_twice(tmp_path: Path, word: str):
    assert one(tmp_path, f"a.mp4,1,{word},ann,,train,").attack_type == "live"


def test_a_person_with_a_number_is_one_person_however_it_is_written(tmp_path: Path):
    found = table(tmp_path, "a.mp4,1,,007,,train,", "b/c.mp4,1,,7,,train,", "i1.jpg,1,,7.0,,train,")
    assert {r.subject for r in found.recordings} == {"mine-7"}
    with pytest.raises(
        DataError, match="lines 2 and 3, column split: '7' is in train in the first line but in test"
    ):
        table(tmp_path, "a.mp4,1,,007,,train,", "b/c.mp4,1,,7,,test,")


def test_names_that_do_not_fit_get_one_that_does_and_stay_apart(tmp_path: Path):
    people = ["Ann Lee", "Ann_Lee", "ann lee", "李雷", "josé", "x" * 100, "s.1"]
    for number in range(len(people)):
        touch(tmp_path / f"p{number}.png")
    rows = "".join(f"p{number}.png,1,,{who},clip {who},train,\n" for number, who in enumerate(people))
    write(tmp_path / "labels.csv", HEADER + rows)
    found = FOLDER.find(tmp_path)
    for names in ([r.subject for r in found], [r.video for r in found]):
        assert len(set(names)) == len(people)
        assert all(re.fullmatch(r"F-[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name) for name in names)
    assert found[1].subject == "F-Ann_Lee"
    decomposed = unicodedata.normalize("NFD", "josé")
    assert one(tmp_path, f"a.mp4,1,,{decomposed},,train,").subject[5:] == found[4].subject[2:]


def test_paths_are_found_as_other_systems_write_them(tmp_path: Path):
    for name in ("Bilder/Größe 1.JPG", "Bilder/zwei.JPEG"):
        touch(tmp_path / unicodedata.normalize("NFC", name))
    rows = [
        unicodedata.normalize("NFD", r"Bilder\Größe 1.JPG"),
        "./bilder/ZWEI.jpeg",
        str(tmp_path / "a.mp4"),
    ]
    found = table(tmp_path, *(f"{path},1,,ann,,train," for path in rows))
    assert [r.path for r in found.recordings] == ["Bilder/Größe 1.JPG", "Bilder/zwei.JPEG", "a.mp4"]
    touch(tmp_path / "bilder/zwei.jpeg")  # now either may be meant
    assert table(tmp_path, "a.mp4,1,,ann,,train,", "bilder/Zwei.jpeg,1,,ann,,train,").missing == (
        "bilder/Zwei.jpeg",
    )


ROW = ("i1.jpg", "1", "", "josé", "", "train", "")
FILES = {
    "Excel, Germany": ";".join(HEADER.strip().split(",")) + ";;\r\n" + ";".join(ROW) + ";;\r\n",
    "Excel, Unicode text": HEADER.replace(",", "\t") + "\t".join(ROW) + "\r\n",
    "quoted": "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in (HEADER.strip().split(","), ROW)),
    "blank lines and case": "Path , LABEL,Attack_Type,Subject,Video,Split,Depth\n\n"
    + " , ".join(ROW)
    + "\n,,,,,,\n",
    "columns of its own": "id,subject,path,note,label\n17,josé,i1.jpg,,1\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_may_come_from_any_program(tmp_path: Path, text: str, encoding: str):
    touch(tmp_path / "i1.jpg")
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    (recording,) = FOLDER.find(tmp_path)
    assert (recording.path, recording.label, recording.split) == ("i1.jpg", 1, "train")
    assert recording.subject == one(tmp_path, ",".join(ROW)).subject.replace("mine", "F")


def test_another_alphabet_than_utf_8_is_named_with_its_line(tmp_path: Path):
    touch(tmp_path / "i1.jpg")
    (tmp_path / "labels.csv").write_bytes((HEADER + "i1.jpg,1,,ann,,,\ni1.jpg,1,,josé,,,\n").encode("cp1252"))
    with pytest.raises(
        DataError,
        match=r"labels\.csv, line 3: a character is not encoded as UTF-8; save the table as CSV UTF-8",
    ):
        FOLDER.find(tmp_path)


def test_images_of_one_stem_are_two_clips(tmp_path: Path):
    for name in ("x.png", "x.jpg"):
        touch(tmp_path / name)
    found = table(tmp_path, "x.png,1,,ann,,train,", "x.jpg,0,print,bob,,train,").recordings
    assert len({r.video for r in found}) == 2


def test_images_of_a_clip_are_numbered_as_people_count(tmp_path: Path):
    names = ["f1.png", "f10.png", "f2.png"]
    for name in names:
        touch(tmp_path / name)
    found = table(tmp_path, *(f"{name},1,,ann,v,train," for name in names)).recordings
    assert [(r.path, r.frame) for r in found] == [("f1.png", 0), ("f10.png", 2), ("f2.png", 1)]


# --- files against the table ------------------------------------------------------------------------


def test_what_the_table_names_must_be_there(tmp_path: Path):
    survey = table(tmp_path, "a.mp4,1,,ann,,train,", "i1.jpg,1,,ann,,train,gone.png", "gone.mp4,1,,ann,,train,")
    with pytest.raises(DataError) as caught:
        require_whole(FOLDER, survey)
    assert "missing: 2\n    gone.mp4\n    gone.png\n" in caught.value.problem
    assert "--accept-counts" in caught.value.remedy
    # Accepted as it is, a picture without its depth is left out: another depth would be another sample.
    assert [r.path for r in survey.recordings] == ["a.mp4"]


def test_what_the_table_does_not_name_is_left_out_and_said(tmp_path: Path):
    survey = table(tmp_path, "a.mp4,1,,ann,,train,")
    require_whole(FOLDER, survey)
    assert survey.notes == ("4 file(s) are not in labels.csv and are left out: b/c.mp4, d.png, i1.jpg, i2.jpg",)


def test_paths_from_another_folder_are_told_where_to_begin(tmp_path: Path):
    with pytest.raises(
        DataError, match=f"names 2 recordings, but none of these files exists: ours/a.mp4.*{tmp_path}"
    ):
        table(tmp_path, "ours/a.mp4,1,,ann,,train,", "ours/i1.jpg,1,,ann,,train,")


def test_people_without_a_split_are_dealt_out_and_it_is_said(tmp_path: Path):
    survey = FOLDER.survey(build(tmp_path / "many", "folder"))
    splits = {r.subject: r.split for r in survey.recordings}
    dealt = Counter(splits.values())
    assert dealt["train"] > dealt["validation"] > 0 < dealt["test"]
    numbers = f"train {dealt['train']}, validation {dealt['validation']}, test {dealt['test']}"
    assert "60/20/20" in survey.notes[0]
    assert survey.notes[0].endswith(f"({numbers})")
    # A person's split depends on the person alone, not on who else is there.
    alone = table(tmp_path, "a.mp4,1,,p7,,,")
    assert alone.recordings[0].split == splits["F-p7"]
    assert alone.notes[1].endswith("; some split has no people: add a column split to choose who is in it")


def test_paths_that_do_not_fit_into_a_name_get_one_of_their_own(tmp_path: Path):
    names = ["a b.mp4", "a_b.mp4", "a.b.mp4", "ä.mp4", f"{'x' * 200}.mp4", f"y/{'x' * 200}.mp4"]
    for name in names:
        touch(tmp_path / name)
    write(tmp_path / "labels.csv", HEADER + "".join(f"{name},1,,ann,,train,\n" for name in names))
    videos = [r.video for r in FOLDER.find(tmp_path)]
    assert len(set(videos)) == len(names)
    assert all(re.fullmatch(r"F-[A-Za-z0-9][A-Za-z0-9_-]{0,60}", video) for video in videos)
