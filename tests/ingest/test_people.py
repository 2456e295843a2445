"""Two spellings of a name are never in two splits, and two people never get one name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.storage import open_store
from tests.ingest.label_tables import HEADER, table
from tests.samples import make_samples

SPELLINGS = [
    ("Anna", "anna"),
    ("ANNA", "Anna"),
    ("Ann Lee", "ann  lee"),
    ("Ann Lee", "Ann_Lee"),
    ("ann-lee", "AnnLee"),
    ("Ann\u00a0Lee", "Ann Lee"),
    ("An\u200bna", "Anna"),
    ("José", "Jose"),
    (unicodedata.normalize("NFD", "José"), "JOSÉ"),
    ("Weiß", "WEISS"),
    ("\uff21nna", "Anna"),
    ("P07", "p7"),
    ("p_07", "P-7"),
    ("person 1-02", "Person_1_2"),
    ("O'Neil", "O\u2019Neil"),
]
OTHERS = [
    ("1-11", "11-1"),
    ("s1_1", "s11"),
    ("p1", "p10"),
    ("p10", "p100"),
    ("Anna", "Anne"),
    ("か", "が"),
    ("कि", "की"),
    ("李", "雷"),
    ("#", "*"),
]


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_two_spellings_of_a_name_are_not_in_two_splits(tmp_path: Path, one: str, other: str):
    with pytest.raises(DataError) as caught:
        table(tmp_path, f"a.mp4,1,,{one},,train,", f"b/c.mp4,1,,{other},,test,")
    assert "lines 2 and 3, column subject: " in caught.value.problem
    for split, name in (("train", one), ("test", other)):
        assert re.search(rf"'{re.escape(name)}' (is )?in {split}", caught.value.problem)
    assert "if they are one person, write the name in one way" in caught.value.remedy


@pytest.mark.parametrize(("one", "other"), SPELLINGS)
def test_in_one_split_they_count_as_two_people_and_it_is_said(tmp_path: Path, one: str, other: str):
    found = table(tmp_path, f"a.mp4,1,,{one},,train,", f"b/c.mp4,1,,{other},,train,")
    subjects = list(dict.fromkeys(r.subject for r in found.recordings))
    said = f"names that differ in spelling alone are treated as different people: {', '.join(subjects)}"
    assert (said in found.notes) == (len(subjects) == 2)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_two_names_are_two_people(tmp_path: Path, one: str, other: str):
    found = table(tmp_path, f"a.mp4,1,,{one},,train,", f"b/c.mp4,1,,{other},,test,")
    assert len({r.subject for r in found.recordings}) == 2
    assert found.notes == table(tmp_path, "a.mp4,1,,x,,train,", "b/c.mp4,1,,y,,test,").notes


def test_people_dealt_out_by_a_hash_are_not_parted_by_their_spelling(tmp_path: Path):
    header = HEADER.replace(",split", "")
    splits = {
        name: table(tmp_path, f"a.mp4,1,,{name},,", header=header).recordings[0].split
        for name in ("ann", "Ann", "ANN")
    }
    assert splits["ann"] != splits["ANN"]  # else this shows nothing
    with pytest.raises(DataError, match="lines 2 and 3, column subject: 'ANN' is in"):
        table(tmp_path, "a.mp4,1,,ann,,", "b/c.mp4,1,,ANN,,", header=header)


def test_what_is_said_of_spellings_goes_with_the_person_who_is_forgotten(tmp_path: Path):
    notes = table(tmp_path, "a.mp4,1,,ann,,train,", "b/c.mp4,1,,Ann,,train,").notes
    assert any("mine-ann, mine-Ann" in note for note in notes)
    one, *others = make_samples("mine")
    samples = [replace(one, subject="mine-ann"), replace(others[0], subject="mine-Ann"), *others[1:]]
    store = open_store(str(tmp_path / "data"))
    pack(samples, store, "mine", contract={"notes": list(notes)})
    forget(store, "mine", "mine-ann")
    manifests = [path.read_text() for path in (tmp_path / "data/mine").glob("manifest-*.json")]
    assert len(manifests) == 1
    assert "mine-ann" not in manifests[0]
