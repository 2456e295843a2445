"""New data is checked before training: each mistake that is planted is found, and sound data is not refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.manifest import Manifest, domains
from rfmeta_dist.retrain.alike import stored_images
from rfmeta_dist.retrain.arrivals import Arrived, Finding
from rfmeta_dist.retrain.intake import check, refused
from rfmeta_dist.storage.store import open_store
from tests.retrain.new_data import delivered, device, edited, judged
from tests.stored import SHARDS


def of_kind(findings: list[Finding], kind: str) -> list[Finding]:
    return [finding for finding in findings if finding.kind == kind]


def keys(arrived: Arrived, label: int, *, new: bool = True) -> list[str]:
    table = arrived.manifest.samples
    mask = (table["label"].to_numpy() == label) & (arrived.new == new)
    return [key for key, one in zip(table["key"].to_pylist(), mask, strict=True) if one]


def test_nothing_is_said_about_sound_data(tmp_path: Path):
    arrived, images = delivered(tmp_path)
    assert check([arrived], judged(arrived), images) == []


def test_without_new_data_nothing_is_read(tmp_path: Path):
    arrived, _ = delivered(tmp_path)

    def images(*_: object) -> list[bytes]:
        raise AssertionError

    assert check([replace(arrived, new=np.zeros_like(arrived.new))], None, images) == []


def test_marks_of_another_state_are_refused(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    with pytest.raises(DataError, match="marks of new samples"):
        replace(arrived, new=arrived.new[1:])


def test_flipped_labels_are_refused_with_the_videos_to_look_at(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    (found,) = of_kind(check([arrived], judged(arrived, flipped=1.0), None), "labels")
    assert (found.severity, found.domain, found.batch) == ("refuse", "A", "b1")
    assert found.facts["order"]["low"] > 0.8
    assert found.facts["live"]["value"] == pytest.approx(1, abs=0.15)
    assert len(found.facts["look_at_live"]) == len(found.facts["look_at_attack"]) == 5
    assert found.facts["look_at_live"][0] in found.words
    json.dumps(found.as_dict())


def test_a_dark_camera_is_warned_of_and_not_refused(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    (found,) = of_kind(check([arrived], judged(arrived, shift=-2.0), None), "labels")
    assert found.severity == "warn"
    assert found.facts["live"]["rate"] > 0.3
    assert found.facts["order"]["low"] < 0.05


def test_a_camera_that_the_champion_does_not_know_may_be_harder(tmp_path: Path):
    """The same scores are refused from a camera that it knows, and warned of from another one."""
    arrived, _ = delivered(tmp_path)
    said = judged(arrived, flipped=0.45)
    old = {
        key: device("old") for label in (0, 1) for new in (True, False) for key in keys(arrived, label, new=new)
    }
    new = old | {key: device("other") for label in (0, 1) for key in keys(arrived, label)}
    for about, severity in ((old, "refuse"), (new, "warn")):
        (found,) = of_kind(check([edited(arrived, about=about)], said, None), "labels")
        assert found.severity == severity


def test_an_attack_that_passes_the_champion_is_no_flipped_label(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    masks = edited(arrived, attack_type=dict.fromkeys(keys(arrived, 0), "mask"))
    said = judged(masks)
    passing = np.where(said.new.attack_type == "mask", 5.0, said.new.score)
    assert not refused(check([masks], replace(said, new=replace(said.new, score=passing)), None))


def test_live_labels_are_judged_where_all_attacks_are_of_a_new_type(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    masks = edited(arrived, attack_type=dict.fromkeys(keys(arrived, 0), "mask"))
    (found,) = of_kind(check([masks], judged(masks, flipped=1.0), None), "labels")
    assert (found.severity, found.facts["order"]) == ("refuse", None)


def test_few_people_are_not_judged(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    few = arrived.new & np.isin(arrived.column("subject_id"), ["A-train0", "A-train20"])
    few_new = replace(arrived, new=few)
    (found,) = of_kind(check([few_new], judged(few_new), None), "labels")
    assert found.severity == "note"
    assert "10 people" in found.words


def copied(sample: Sample, of: dict[str, bytes], quality: int | None) -> Sample:
    """The sample with the image of another one, encoded again if a quality is given."""
    image = of.get(sample.key)
    if image is None:
        return sample
    if quality:
        image = simplejpeg.encode_jpeg(simplejpeg.decode_jpeg(image), quality=quality)
    return replace(sample, image=image)


@pytest.mark.parametrize("quality", [None, 50])
@pytest.mark.parametrize(
    ("one", "other", "contradiction", "severity"),
    [
        ("A-train0-00000", "A-train20-00060", "label", "refuse"),
        ("A-train0-00000", "A-test0-00000", "test", "refuse"),
        ("A-train0-00000", "A-train1-00003", "same", "warn"),
    ],
)
def test_an_image_that_is_there_twice_is_found(
    tmp_path: Path, quality: int | None, one: str, other: str, contradiction: str, severity: str
):
    images = {}
    delivered(tmp_path / "first", change=lambda s: images.update({s.key: s.image}) or s)
    arrived, read = delivered(tmp_path, change=lambda s: copied(s, {one: images[other]}, quality))
    (found,) = check([arrived], judged(arrived), read)
    assert (found.kind, found.severity) == ("duplicates", severity)
    assert found.facts["contradiction"] == contradiction
    assert found.facts["equal_bytes"] == (quality is None)
    assert sorted(found.facts["pairs"][0]) == sorted([one, other])


def test_a_copy_in_another_domain_is_found(tmp_path: Path):
    first, _ = delivered(tmp_path, "A")
    image = simplejpeg.encode_jpeg(np.full((64, 64, 3), 90, np.uint8))
    by_key = {"A-train0-00000": image, "B-train15-00045": image}
    first, _ = delivered(tmp_path, "A", lambda s: copied(s, by_key, None))
    second, _ = delivered(tmp_path, "B", lambda s: copied(s, by_key, None))
    (found,) = of_kind(check([replace(first, new=np.zeros_like(first.new)), second], None, None), "duplicates")
    assert (found.severity, found.domain, found.facts["domains"]) == ("refuse", "B", ["A"])


def test_frames_of_one_video_and_flat_frames_are_no_copies(tmp_path: Path):
    def flat_or_static(sample: Sample) -> Sample:
        number = int(sample.key[-5:])
        if number < 3:  # three flat images with different grey values, of different videos
            return replace(
                sample, image=simplejpeg.encode_jpeg(np.full((64, 64, 3), 60 + 40 * number, np.uint8))
            )
        if number in (3, 4) and sample.split == "train":  # two frames of one video
            grey = cv2.resize(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4, (64, 64))
            image = simplejpeg.encode_jpeg(np.repeat(grey[:, :, None], 3, 2), quality=90 - number)
            return replace(sample, image=image, video="still", attack_type="live")
        return sample

    def test_only(sample: Sample) -> Sample:
        return sample if sample.split == "test" else flat_or_static(sample)

    arrived, images = delivered(tmp_path, change=test_only)
    assert of_kind(check([arrived], None, images), "duplicates") == []


def test_people_of_another_split_are_named(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    moved = edited(arrived, subject_id=dict.fromkeys(keys(arrived, 1)[:2], "A-test3"))
    (found,) = check([moved], None, None)
    assert (found.kind, found.severity) == ("subjects", "refuse")
    assert "A-test3" in found.words
    assert found.facts == {"people": 1, "splits": {"A-test3": ["test", "train"]}}


def test_one_class_is_normal_for_a_domain_that_has_both(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    rows = np.isin(arrived.manifest.samples["key"].to_numpy(), keys(arrived, 1)[:30])
    (found,) = of_kind(check([replace(arrived, new=rows)], judged(replace(arrived, new=rows)), None), "classes")
    assert found.severity == "note"


def test_a_domain_of_one_class_is_refused(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    table = arrived.manifest.samples
    kept = ~arrived.new | (table["label"].to_numpy() == 1)
    half = Arrived(replace(arrived.manifest, samples=table.filter(kept)), arrived.new[kept])
    (found,) = check([half], None, None)
    assert (found.kind, found.severity, found.facts) == ("classes", "refuse", {"absent_in_train": ["attack"]})


def test_a_camera_never_seen_becomes_a_slice(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    about = {key: device("phone-9") for key in keys(arrived, 1)[:7]}
    about |= {key: device("phone-1") for key in keys(arrived, 0) + keys(arrived, 0, new=False)}
    (found,) = check([edited(arrived, about=about)], judged(arrived), None)
    assert (found.kind, found.severity) == ("cameras", "warn")
    assert found.facts["slices"] == [{"attribute": "device", "value": "phone-9", "videos": 7, "people": 3}]


def test_one_attack_type_at_ten_times_all_others_is_warned_of(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    attacks = keys(arrived, 0)
    for others, warned in ((4, True), (5, False)):
        kinds = {key: "print" if number < others else "replay" for number, key in enumerate(attacks)}
        found = of_kind(check([edited(arrived, attack_type=kinds)], None, None), "attacks")
        assert [one.severity for one in found] == ["warn"] * warned
    assert not refused(found)


def test_the_most_severe_comes_first(tmp_path: Path):
    arrived, _ = delivered(tmp_path)
    about = {key: device("phone-9") for key in keys(arrived, 1)}
    found = check([edited(arrived, about=about)], judged(arrived, flipped=1.0), None)
    assert [one.severity for one in found] == ["refuse", "warn"]
    assert refused(found)


def test_generated_people_are_not_taken_for_copies_of_each_other():
    """All images of the stored domains are compared with each other: live faces, prints and replays of them."""
    store = open_store(str(SHARDS))
    arrived = []
    for name in domains(store):
        manifest = Manifest.open(store, name)
        arrived.append(Arrived(manifest, np.ones(manifest.samples.num_rows, bool)))
    assert len(arrived) == 4
    found = check(arrived, judged(*arrived), stored_images(store))
    assert not refused(found)
    assert of_kind(found, "duplicates") == []
