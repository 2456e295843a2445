"""Protocol parts have the published sizes, and a published domain keeps each sample's protocols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.stage import Stage, Tally
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.storage import Store, open_store
from tests.ingest.layout_trees import SIW_CLIPS
from tests.samples import make_samples

PARTS = ("train", "validation", "test")
Sizes = Mapping[str, tuple[int, int]]  # (live, attack) by protocol and part


def by_part(name: str, *sizes: tuple[int, int]) -> Sizes:
    return {f"{name}/{part}": size for part, size in zip(PARTS, sizes, strict=True)}


OULU = by_part("1", (240, 960), (180, 720), (120, 480)) | by_part("2", (360, 720), (270, 540), (360, 720))
for fold in range(1, 7):
    OULU |= by_part(f"3_{fold}", (300, 1200), (225, 900), (60, 240))
    OULU |= by_part(f"4_{fold}", (200, 400), (150, 300), (20, 40))

# Of Replay-Attack, as published: attacks in all, of which 3 in 10 are for training and 3 for validation.
REPLAY_ATTACKS = {"grandtest": 1000, "print": 200, "mobile": 400, "highdef": 400, "digitalphoto": 400}
REPLAY_ATTACKS |= {"photo": 600, "video": 400}
REPLAY: Sizes = {}
for (name, attacks), (support, share) in product(
    REPLAY_ATTACKS.items(), (("", 10), ("-fixed", 20), ("-hand", 20))
):
    numbers = (3 * attacks // share, 3 * attacks // share, 4 * attacks // share)
    REPLAY = {**REPLAY, **by_part(f"{name}{support}", *zip((60, 60, 80), numbers, strict=True))}

MOBILE = by_part("grandtest", (120, 192), (160, 256), (110, 192))
MOBILE |= by_part("print", (120, 96), (160, 128), (110, 96)) | by_part(
    "mattescreen", (120, 96), (160, 128), (110, 96)
)

SIW = by_part("1", (636, 1504), (78, 198), (599, 1454))
SIW |= by_part("2_1", (636, 883), (78, 120), (599, 300)) | by_part("2_2", (636, 883), (78, 120), (599, 296))
SIW |= by_part("2_3", (636, 885), (78, 120), (599, 294)) | by_part("2_4", (636, 958), (78, 120), (599, 250))
SIW |= by_part("3_1", (636, 301), (78, 38), (599, 1140)) | by_part("3_2", (636, 1203), (78, 160), (599, 314))

PUBLISHED = {"oulu_npu": OULU, "replay_attack": REPLAY, "replay_mobile": MOBILE, "siw": SIW}


@pytest.fixture(scope="module")
def surveys(trees: Mapping[str, Path]) -> Mapping[str, Survey]:
    return {name: LAYOUTS[name].survey(trees[name]) for name in PUBLISHED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_part_of_each_protocol_has_the_published_size(surveys: Mapping[str, Survey], name: str):
    found = Counter((protocol, r.label) for r in surveys[name].recordings for protocol in r.protocols)
    sizes = {protocol: (found[protocol, 1], found[protocol, 0]) for protocol, _ in found}
    assert sizes == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_part_takes_from_the_split_of_its_name_alone(surveys: Mapping[str, Survey], name: str):
    for recording in surveys[name].recordings:
        assert {protocol.split("/")[1] for protocol in recording.protocols} == {recording.split}


def test_siw_tests_what_training_has_not_seen(surveys: Mapping[str, Survey]):
    assert sum(map(sum, SIW_CLIPS.values())) == 4469
    members: dict[str, set[tuple[str, str]]] = {}
    for recording in surveys["siw"].recordings:
        for protocol in recording.protocols:
            members.setdefault(protocol, set()).add((recording.attack_type, recording.condition[-1]))
    media = {
        fold: {medium for kind, medium in members[f"{fold}/test"] if kind != "live"} for fold in ("2_1", "2_4")
    }
    assert media == {"2_1": {"1"}, "2_4": {"4"}}
    assert {medium for kind, medium in members["2_1/train"] if kind != "live"} == {"2", "3", "4"}
    assert {kind for kind, _ in members["3_1/train"] | members["3_2/test"]} == {"live", "print"}
    assert {kind for kind, _ in members["3_2/train"] | members["3_1/test"]} == {"live", "replay"}


# --- in a published domain --------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "data"))


def in_protocols() -> list[Sample]:
    """Samples of which every second is in some protocols."""
    made = enumerate(make_samples("A", {"train": (8, 8), "test": (4, 4)}))
    return [
        replace(sample, protocols=("1/train", f"2_{number % 4}/train") if number % 2 else ())
        for number, sample in made
    ]


def recovered(manifest: Manifest) -> dict[str, tuple[str, ...]]:
    return {row["key"]: tuple(row["protocols"].split()) for row in manifest.samples.to_pylist()}


def test_membership_is_in_the_manifest_and_in_the_shards(store: Store):
    samples = in_protocols()
    manifest = pack(samples, store, "A", contract={})
    assert recovered(manifest) == {sample.key: sample.protocols for sample in samples}
    assert recovered(Manifest.open(store, "A")) == recovered(manifest)
    assert verify(store, "A") == []
    in_shards = b"".join(store.read(f"A/{shard.name}") for shard in manifest.shards)
    assert in_shards.count(b'"1/train"') == sum(bool(sample.protocols) for sample in samples)


def test_another_membership_alone_is_another_version_of_the_domain(store: Store):
    first = pack(in_protocols(), store, "A", contract={})
    second = pack(
        [replace(sample, protocols=("1/test",)) for sample in in_protocols()], store, "A", contract={}
    )
    assert first.fingerprint != second.fingerprint
    assert set(recovered(Manifest.open(store, "A")).values()) == {("1/test",)}


def test_membership_outlives_a_wait_in_the_staging_area(store: Store):
    samples, stage = in_protocols(), Stage(store, "A", {})
    stage.write("one", samples, Tally("clip.mov"))
    assert stage.read("one")[0] == samples


def test_forgetting_a_person_keeps_the_membership_of_the_others(store: Store):
    before = recovered(pack(in_protocols(), store, "A", contract={}))
    gone = set(forget(store, "A", "A-train0").samples)
    assert gone
    assert recovered(Manifest.open(store, "A")) == {key: its for key, its in before.items() if key not in gone}


def test_a_domain_without_protocols_has_no_column_for_them_and_opens_as_ever(store: Store, tmp_path: Path):
    manifest = pack(make_samples("A"), store, "A", contract={})
    assert "protocols" not in manifest.samples.column_names
    (table,) = (tmp_path / "data/A").glob("samples-*.parquet")
    assert "protocols" not in pq.read_schema(table).names
    assert Manifest.open(store, "A") == manifest
