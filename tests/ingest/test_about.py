"""What data sets tell about recordings reaches the shards, and nothing about people does unless it is named."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rfmeta_dist.config.shipped import DEMO_SHARDS
from rfmeta_dist.core.about import from_text, is_demographic, to_text
from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.folder import keeping
from rfmeta_dist.ingest.recording import Recording
from rfmeta_dist.storage import Store, open_store
from tests.ingest.label_tables import FOLDER
from tests.ingest.layout_trees import touch, write
from tests.samples import make_samples

# How many recordings of each data set have a value, computed from its documentation.
TOLD = {
    "oulu_npu": {
        "device": {f"phone-{n}": 825 for n in range(1, 7)},
        "session": {str(n): 1650 for n in (1, 2, 3)},
        "medium": dict.fromkeys(("printer-1", "printer-2", "display-1", "display-2"), 990),
    },
    "casia_fasd": {"quality": dict.fromkeys(("low", "normal", "high"), 200)},
    "replay_attack": {
        "device": {"webcam": 1200},
        "session": {"1": 1200},
        "light": {"controlled": 600, "adverse": 600},
        "support": {"fixed": 500, "hand": 500},
        "medium": {"print": 200}
        | dict.fromkeys((f"{d}-{m}" for d in ("mobile", "highdef") for m in ("photo", "video")), 200),
    },
    "msu_mfsd": {
        "device": {"android": 140, "laptop": 140},
        "session": {"1": 280},
        "medium": dict.fromkeys(("ipad_video", "iphone_video", "printed_photo"), 70),
    },
    "replay_mobile": {
        "device": {"mobile": 515, "tablet": 515},
        "session": {"1": 640, "2": 390},
        "light": dict.fromkeys(("adverse", "controlled", "diffuse", "direct", "lateral"), 78)
        | {"lighton": 320, "lightoff": 320},
        "support": {"fixed": 480, "hand": 160},
        "medium": {"print-photo": 320, "mattescreen-photo": 160, "mattescreen-video": 160},
    },
}


@pytest.mark.parametrize("name", TOLD)
def test_each_recording_has_what_its_name_says(trees: Mapping[str, Path], name: str):
    found: dict[str, Counter[str]] = {}
    for recording in LAYOUTS[name].find(trees[name]):
        for field, value in from_text(recording.told).items():
            found.setdefault(field, Counter())[value] += 1
    assert found == TOLD[name]


def test_only_attacks_of_siw_have_a_medium_and_celeba_spoof_tells_light_and_place(trees: Mapping[str, Path]):
    siw = LAYOUTS["siw"].find(trees["siw"])
    assert all(("medium" in from_text(r.told)) == (r.label == 0) for r in siw)
    assert {from_text(r.told)["device"] for r in siw} == {"sensor-1", "sensor-2"}
    attack = next(r for r in LAYOUTS["celeba_spoof"].find(trees["celeba_spoof"]) if r.attack_type == "mask")
    assert from_text(attack.told)["medium"] == "3d-mask"


# --- a user's own table -----------------------------------------------------------------------------

COLUMNS = "path,label,subject,Camera Model,session,gender,Skin-Tone,email,note,room\n"
ROWS = [
    "a.mp4,live,ann,Nord <8>,1.0,female,4,ann@example.org,first,",
    "b.mp4,attack,ann,nord  <8>,2,female,4,ann@example.org,,Büro 🏠",
    "c.mp4,live,bob,Süd;9,1,male,2,bob@example.org,glasses,n/a",
    "d.mp4,attack,bob,Süd;9,2,male,2,bob@example.org,,Büro 🏠",
    "e.mp4,live,cid,SÜD;9,1,male,,cid@example.org,,",
]


def survey(root: Path, *named: str, rows: list[str] = ROWS, columns: str = COLUMNS):
    for row in rows:
        touch(root / row.split(",")[0])
    write(root / "labels.csv", columns + "\n".join(rows) + "\n")
    return keeping(FOLDER, named).survey(root, "mine")


def told(recordings: tuple[Recording, ...]) -> list[dict[str, str]]:
    return [from_text(recording.told) for recording in recordings]


def test_columns_that_group_recordings_are_kept_and_spelled_alike(tmp_path: Path):
    found = survey(tmp_path)
    assert told(found.recordings) == [
        {"camera model": "Nord <8>", "session": "1"},
        {"camera model": "Nord <8>", "session": "2", "room": "Büro 🏠"},
        {"camera model": "Süd;9", "session": "1"},
        {"camera model": "Süd;9", "session": "2", "room": "Büro 🏠"},
        {"camera model": "Süd;9", "session": "1"},
    ]
    said = "\n".join(found.hints)
    assert "describe people: gender, skin-tone" in said
    assert "--with gender --with skin-tone" in said
    assert (
        "left out, because most values belong to one person only, or they are many or long: email, note" in said
    )
    assert found.notes == ("the table gives no splits: " + found.notes[0].split(": ", 1)[1],)  # as before


def test_what_is_said_of_people_is_kept_only_if_named(tmp_path: Path):
    facts = told(survey(tmp_path, "gender", "Skin-Tone").recordings)
    assert [f.get("gender") for f in facts] == ["female", "female", "male", "male", "male"]
    assert [f.get("skin-tone") for f in facts] == ["4", "4", "2", "2", None]
    assert not any("email" in f for f in facts)


@pytest.mark.parametrize(
    "name",
    [
        "gender",
        "Sex",
        "AGE",
        "age_group",
        "ageGroup",
        "skin tone",
        "Fitzpatrick-type",
        "birth year",
        "race",
        "dob",
    ],
)
def test_columns_about_people_are_known_by_their_names(name: str):
    assert is_demographic(name)


@pytest.mark.parametrize("name", ["stage", "usage", "image", "device", "trace", "session", "brace", "sensor_2"])
def test_other_columns_are_not_taken_for_them(name: str):
    assert not is_demographic(name)


def test_a_column_that_is_not_there_and_a_layout_without_a_table_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"--with sexx.*it has camera model, session, gender"):
        survey(tmp_path, "sexx")
    with pytest.raises(DataError, match="--with label"):
        survey(tmp_path, "label")
    with pytest.raises(ConfigError, match="oulu_npu reads no such table"):
        keeping(LAYOUTS["oulu_npu"], ("gender",))


def test_a_column_with_a_value_for_each_recording_is_left_out_and_said(tmp_path: Path):
    rows = [f"{n}.mp4,live,p{n % 40},{n},{n % 3}" for n in range(3000)]
    found = survey(tmp_path, rows=rows, columns="path,label,subject,serial,site\n")
    assert {tuple(facts) for facts in told(found.recordings)} == {("site",)}
    assert any("serial" in hint and "--with serial" in hint for hint in found.hints)


# --- in the shards ----------------------------------------------------------------------------------


def samples(facts: Mapping[str, Mapping[str, str]]):
    """Samples of domain A in train; `facts` gives what is known by subject."""
    return [replace(s, about=to_text(facts.get(s.subject, {}))) for s in make_samples("A")]


ODD = {"device": 'Ä"\\<b>&;\t', "gender": "only-of-this-person"}


def test_it_is_in_the_table_and_in_the_tar_and_staging_keeps_it(tmp_path: Path):
    store = open_store(str(tmp_path))
    facts = {"A-train0": ODD, "A-train1": {"session": "1"}}
    stage = Stage(store, "A", {})
    stage.write("r.parquet", samples(facts), Tally("r"))
    manifest = pack(stage.samples(["r.parquet"]), store, "A", contract={})
    for row in manifest.samples.to_pylist():
        assert from_text(row["about"]) == facts.get(row["subject_id"], {})
    inside: dict[str, dict[str, str]] = {}
    for shard in manifest.shards:
        with tarfile.open(fileobj=BytesIO(store.read(f"A/{shard.name}"))) as tar:
            for member in tar.getmembers():
                if member.name.endswith(".json"):
                    content = json.loads(tar.extractfile(member).read())
                    inside[content["subject"]] = content.get("about", {})
    assert {name: known for name, known in inside.items() if known} == facts
    assert verify(store, "A") == []
    assert Manifest.open(store, "A").fingerprint == manifest.fingerprint


def test_without_it_shards_and_manifest_are_those_of_earlier_versions(tmp_path: Path):
    store, shipped = open_store(str(tmp_path)), open_store(str(DEMO_SHARDS))
    before = Manifest.open(shipped, "M")  # packed by a version that did not know of it
    assert "about" not in before.samples.column_names
    again = pack(list(unpacked(shipped, before)), store, "M", contract=before.contract)
    assert again.shards == before.shards
    assert again.samples.equals(before.samples)


def unpacked(store: Store, manifest: Manifest) -> Iterator[Sample]:
    """Make the samples again from the files in a domain's shards."""
    for shard in manifest.shards:
        with tarfile.open(fileobj=BytesIO(store.read(f"{manifest.domain}/{shard.name}"))) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
        for name, content in files.items():
            if name.endswith(".json"):
                key, said = name.removesuffix(".json"), json.loads(content)
                image, depth = files[f"{key}.jpg"], files[f"{key}.depth.png"]
                yield Sample(key=key, image=image, image_ext="jpg", depth=depth, **said)


def test_nothing_of_it_is_left_of_a_person_who_is_erased(tmp_path: Path):
    store = open_store(str(tmp_path))
    pack(samples({"A-train1": ODD}), store, "A", contract={})
    pack(samples({"A-train1": ODD, "A-train0": {"gender": "female"}}), store, "A", contract={"n": 2})
    forget(store, "A", "A-train1")
    for name in store.list():
        data = store.read(name)
        texts = [data]
        if name.endswith(".parquet"):
            table = pq.read_table(BytesIO(data))
            texts += [str(column.unify_dictionaries()).encode() for column in table.columns]
            texts.append(str(table.to_pylist()).encode())
        assert not any(ODD["gender"].encode() in text for text in texts), name
    kept = Manifest.open(store, "A").samples["about"].to_pylist()
    assert set(kept) == {"", '{"gender":"female"}'}
