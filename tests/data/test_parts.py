"""A run within one domain reads the samples that its protocol lists, each in its part, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.config.schema import Data
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Sample
from rfmeta_dist.data.reading.parts import folds, open_judged, open_source
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.manifest import GoneError, Manifest
from rfmeta_dist.data.shards.membership import restricted
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import Store, open_store
from tests.official import recordings, samples
from tests.samples import make_samples

PROTOCOLS = ("1", "2", "3_1", "3_2", "4_1")


@pytest.fixture(scope="module")
def oulu(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[Sample]]:
    found = recordings(tmp_path_factory.mktemp("tree"))
    made, store = list(samples(found, PROTOCOLS)), open_store(str(tmp_path_factory.mktemp("oulu")))
    pack(made, store, "O", contract={}, shard_bytes=20_000)
    return store, made


def data(store: Store, within: str) -> Data:
    return Data(prefix=store.url, within=within, image_size=32, batch=4)


def in_part(made: Iterable[Sample], protocol: str, part: str) -> set[str]:
    return {sample.key for sample in made if f"{protocol}/{part}" in sample.protocols}


def read(store: Store, manifest: Manifest, split: str) -> list[str]:
    return [key for batch in scan(store, manifest, split, image_size=32, batch=7) for key in batch.keys]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_part_is_read_once_and_whole(oulu: tuple[Store, list[Sample]], protocol: str):
    store, made = oulu
    source = open_source(store, data(store, f"O/{protocol}"), "O")
    judged = open_judged(store, data(store, f"O/{protocol}"), f"O/{protocol}")
    for manifest, part in ((source, "train"), (source, "validation"), (judged, "test")):
        found = read(store, manifest, part)
        assert len(found) == len(set(found))
        assert set(found) == in_part(made, protocol, part) != set()
        labels = {sample.key: sample.label for sample in made}
        assert [manifest.count(part, label) for label in (0, 1)] == [
            sum(labels[key] == label for key in found) for label in (0, 1)
        ]


def test_what_training_is_given_holds_nothing_of_the_test_part(oulu: tuple[Store, list[Sample]]):
    store, made = oulu
    source = open_source(store, data(store, "O/3_1"), "O")
    assert set(source.samples["key"].to_pylist()) == in_part(made, "3_1", "train") | in_part(
        made, "3_1", "validation"
    )
    assert {shard.split for shard in source.shards} == {"train", "validation"}
    assert source.count("test", 0) == source.count("test", 1) == 0
    with pytest.raises(DataError, match="no live samples in split 'test'"):
        source.stream("test", 1)


def test_training_batches_are_of_the_train_part_and_cover_it(oulu: tuple[Store, list[Sample]]):
    store, made = oulu
    chosen = data(store, "O/4_1")
    stream = DomainStream.of_run(store, open_source(store, chosen, "O"), chosen, seed=3)
    wanted = in_part(made, "4_1", "train")
    attacks = sum(not s.label for s in made if s.key in wanted)
    batches = stream.batches()
    seen = {key for _ in range(attacks // 2) for key in next(batches).keys}
    assert seen == wanted


def test_protocols_of_one_process_do_not_share_their_samples(oulu: tuple[Store, list[Sample]]):
    store, made = oulu
    both = [
        DomainStream.of_run(store, open_source(store, d, "O"), d, 0)
        for d in (data(store, "O/3_1"), data(store, "O/3_2"))
    ]
    running = [stream.batches() for stream in both]  # at the same time, so that shards may be shared
    for _ in range(30):
        for batches, protocol in zip(running, ("3_1", "3_2"), strict=True):
            assert set(next(batches).keys) <= in_part(made, protocol, "train")


def test_a_protocol_with_folds_is_that_of_all_its_runs(oulu: tuple[Store, list[Sample]]):
    store, _ = oulu
    assert folds(data(store, "O/3")) == ["O/3_1", "O/3_2"]
    assert folds(data(store, "O/3_2")) == ["O/3_2"]
    with pytest.raises(DataError, match=r"protocol 3 of domain O has 2 folds.*3_1, 3_2.*data.within=O/3_1"):
        open_source(store, data(store, "O/3"), "O")
    with pytest.raises(DataError, match="no protocol 5; it has 1, 2, 3_1, 3_2, 4_1"):
        folds(data(store, "O/5"))


def test_the_own_splits_of_any_domain_are_a_protocol(tmp_path: Path):
    store, sizes = open_store(str(tmp_path)), {"train": (6, 6), "validation": (3, 3), "test": (3, 6)}
    made = list(make_samples("O", sizes))
    pack(made, store, "O", contract={})
    chosen = data(store, "O/splits")
    assert folds(chosen) == ["O/splits"]
    source, judged = open_source(store, chosen, "O"), open_judged(store, chosen, "O/splits")
    for manifest, part in ((source, "train"), (source, "validation"), (judged, "test")):
        assert set(read(store, manifest, part)) == {sample.key for sample in made if sample.split == part}
    assert "test" not in source.samples["split"].to_pylist()


def test_a_part_stays_in_the_state_that_the_run_trains_on(oulu: tuple[Store, list[Sample]]):
    store, _ = oulu
    with pytest.raises(DataError, match="0123456789") as deleted:
        open_judged(store, data(store, "O/1"), "O/1", "0123456789abcdef")
    assert not isinstance(deleted.value, GoneError)  # in its place, callers open the newest state


def test_a_domain_without_protocols_says_so(tmp_path: Path):
    store = open_store(str(tmp_path))
    pack(make_samples("O"), store, "O", contract={})
    with pytest.raises(DataError, match="domain O has no official protocols"):
        open_source(store, data(store, "O/1"), "O")


# --- what is wrong with a protocol ------------------------------------------------------------------


def listed(tmp_path: Path, change: dict[str, tuple[str, ...]]) -> tuple[Store, Data]:
    """A domain in protocol 1, except that samples whose key starts so are listed otherwise."""
    store = open_store(str(tmp_path))
    sizes = dict.fromkeys(SPLITS, (6, 6))
    made = []
    for sample in make_samples("O", sizes):
        entries = (f"1/{sample.split}",)
        for start, other in change.items():
            entries = other if sample.key.startswith(start) else entries
        made.append(replace(sample, protocols=entries))
    pack(made, store, "O", contract={})
    return store, data(store, "O/1")


def test_a_person_in_two_parts_is_named(tmp_path: Path):
    store, chosen = listed(tmp_path, {"O-train0-00000": ("1/test",)})
    with pytest.raises(DataError, match=r"same people in its parts train and test .*O-train0; 1 in all"):
        open_source(store, chosen, "O")


def test_a_sample_in_two_parts_is_refused(tmp_path: Path):
    store, chosen = listed(tmp_path, {"O-test0": ("1/test", "1/train")})
    with pytest.raises(DataError, match="lists samples in its parts test and train at once"):
        open_judged(store, chosen, "O/1")


def test_an_unknown_part_is_refused(tmp_path: Path):
    store, chosen = listed(tmp_path, {"O-test0": ("1/dev",)})
    with pytest.raises(DataError, match="a part 'dev', but a part is one of train, validation, test"):
        open_source(store, chosen, "O")


@pytest.mark.parametrize(("start", "missing"), [("O-test", "samples"), ("O-test0", "live samples")])
def test_a_part_that_lacks_a_class_is_named(tmp_path: Path, start: str, missing: str):
    left_out = {start: (), "O-test1": ()}  # the live samples of the test part are of test0 and test1
    store, chosen = listed(tmp_path, left_out)
    with pytest.raises(DataError, match=f"has no {missing} in its part 'test'"):
        open_judged(store, chosen, "O/1")


def test_validation_people_that_ingest_held_out_are_the_validation_part(tmp_path: Path):
    # As CelebA-Spoof, whose protocol has no validation part.
    store, chosen = listed(tmp_path, {"O-validation": ("1/train",)})
    source = open_source(store, chosen, "O")
    assert {key.split("-")[1].rstrip("0123456789") for key in read(store, source, "validation")} == {
        "validation"
    }
    assert source.count("train", 1) == source.count("validation", 1) == 6


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.sampled_from(("", *SPLITS)), min_size=12, max_size=12), small=st.booleans())
def test_any_lists_are_followed_exactly(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], small: bool
):
    # A protocol may put a person's samples into another part than the split in which they are stored.
    made = [
        replace(sample, protocols=(f"x/{part}",) if (part := parts[number // 3]) else ())
        for number, sample in enumerate(make_samples("O", dict.fromkeys(SPLITS, (6, 6))))
    ]
    store = open_store(str(tmp_path_factory.mktemp("any")))
    whole = pack(made, store, "O", contract={}, **({"shard_bytes": 9_000} if small else {}))
    by_part = {part: [s for s in made if f"x/{part}" in s.protocols] for part in SPLITS}
    if not by_part["validation"]:
        by_part["validation"] = [s for s in by_part["train"] if s.split == "validation"]
        by_part["train"] = [s for s in by_part["train"] if s.split != "validation"]
    for part, wanted in by_part.items():
        if {sample.label for sample in wanted} == {0, 1}:
            found = restricted(whole, "x", (part,))
            assert sorted(read(store, found, part)) == sorted(sample.key for sample in wanted)
            assert set(found.samples["split"].to_pylist()) == {part}
        elif any(sample.protocols for sample in made):
            with pytest.raises(DataError, match=f"in its part '{part}'"):
                restricted(whole, "x", (part,))
