"""A batch joins a domain in shards of its own, can be reviewed and taken out, and changes nothing else."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.batches import (
    Batch,
    batches_of,
    publish_batch,
    retract,
    set_reviewed,
    videos_by_type,
)
from rfmeta_dist.data.shards.delivery import Renamed
from rfmeta_dist.data.shards.manifest import Manifest, open_head, versions
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.orphans import orphans
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import make_native_samples, make_samples

SIZES = {"train": (12, 20), "test": (3, 6)}
CONTRACT = {"generator": "test", "crop": {"size": 64, "margin": 1.5, "full_depth": False}}
MAY = Batch("may", "Acme", "2026-05-01T00:00:00+00:00")
BYTES = 8_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def based(store: Store) -> Manifest:
    return pack(make_samples("A", SIZES), store, "A", contract=CONTRACT, shard_bytes=BYTES)


def delivered(name: str = "may", seed: int = 1) -> list[Sample]:
    sizes = {"train": (3, 6), "test": (3, 3)}
    return list(Renamed(lambda: make_samples("N", sizes, seed), "A", name))


def add(store: Store, samples: list[Sample], batch: Batch = MAY, **options) -> Manifest:
    given = {"contract": CONTRACT, "shard_bytes": BYTES} | options
    return publish_batch(samples, store, "A", batch, **given)


def keys(manifest: Manifest) -> set[str]:
    return set(manifest.samples["key"].to_pylist())


def test_a_batch_is_added_in_shards_of_its_own(store: Store):
    before = based(store)
    bytes_before = {name: store.read(name) for name in store.list("A")}
    after = add(store, delivered())
    assert {name: store.read(name) for name in bytes_before} == bytes_before
    assert keys(after) == keys(before) | {sample.key for sample in delivered()}
    assert set(before.shards) < set(after.shards)
    assert [s.name for s in after.shards] == sorted(s.name for s in after.shards)
    for shard in after.shards:
        assert {row["batch"] for row in after.rows(shard)} == {"" if shard in before.shards else "may"}
    assert verify(store, "A") == []
    assert orphans(store, "A") == []
    assert {k: v for k, v in after.contract.items() if k != "batches"} == before.contract
    assert batches_of(open_head(store, "A", before.fingerprint)) == {}
    (batch,) = batches_of(open_head(store, "A")).values()
    assert batch == replace(MAY, samples=15, sha256=batch.sha256, made=CONTRACT)
    assert videos_by_type(after)["may"] == {"live": 2, "print": 3, "replay": 3}
    assert "batch" not in before.samples.column_names


def test_a_batch_survives_a_generator_and_the_same_again_changes_nothing(store: Store):
    based(store)
    first = add(store, iter(delivered()))
    later = replace(MAY, time="2027-01-01T00:00:00+00:00", supplier="Acme Ltd")
    assert add(store, delivered()[::-1], later).fingerprint == first.fingerprint
    with pytest.raises(DataError, match=r"domain A has a batch may already, with other samples \(from Acme"):
        add(store, delivered(seed=2))
    assert len(versions(store, "A")) == 2
    assert orphans(store, "A") == []


def test_review_changes_one_fact_and_retract_brings_the_earlier_state_back(store: Store):
    before = based(store)
    added = add(store, delivered())
    reviewed = set_reviewed(store, "A", "may")
    assert batches_of(reviewed) == {"may": replace(batches_of(added)["may"], reviewed=True)}
    assert reviewed.tables == added.tables
    assert set_reviewed(store, "A", "may").fingerprint == reviewed.fingerprint
    assert set_reviewed(store, "A", "may", reviewed=False).fingerprint == added.fingerprint
    gone = retract(store, "A", "may")
    assert gone.fingerprint == before.fingerprint
    assert Manifest.open(store, "A", reviewed.fingerprint).shards == added.shards  # nothing is deleted
    for change in (set_reviewed, retract):
        with pytest.raises(DataError, match="has no batch 'may'"):
            change(store, "A", "may")
    assert add(store, delivered(seed=2)).samples.num_rows == before.samples.num_rows + 15


def test_what_the_domain_has_already_is_refused(store: Store):
    based(store)
    mine = next(iter(make_samples("A", SIZES)))
    with pytest.raises(DataError, match=f"sample {mine.key} of batch may is in domain A already"):
        add(store, [*delivered(), mine])
    with pytest.raises(DataError, match=f"video {mine.video} of batch may is in domain A already"):
        add(store, [replace(mine, key="A-new-1")])
    with pytest.raises(DataError, match="there is no domain 'B'"):
        publish_batch(make_samples("B"), store, "B", MAY, contract={})
    assert len(versions(store, "A")) == 1
    assert orphans(store, "A") == []


def test_a_known_person_may_come_again_but_not_in_another_split(store: Store):
    based(store)
    known = [replace(s, subject=s.subject.replace("A-may-", "A-")) for s in delivered()]
    assert "A-train0" in {s.subject for s in known}
    moved = [replace(s, split="test") for s in known]
    with pytest.raises(
        DataError, match=r"subject A-train0 is in split 'test' of batch may, but in split 'train'"
    ):
        add(store, moved)
    add(store, known)
    assert verify(store, "A") == []


@pytest.mark.parametrize(
    ("crop", "problem"),
    [
        ({"size": 64, "margin": 1.3}, "margin is 1.3 in the batch and 1.5 in the domain"),
        ({"size": {"smallest": 64}, "margin": 1.5}, "size is {'smallest': 64} in the batch and 64 in the"),
        (None, "margin is unknown in the batch and 1.5 in the domain"),
    ],
)
def test_crops_of_another_kind_are_refused(store: Store, crop: dict, problem: str):
    based(store)
    with pytest.raises(DataError, match=problem):
        add(store, delivered(), contract={"crop": crop})


def test_crops_of_another_size_are_refused_and_native_ones_join_native_ones(store: Store):
    pack(make_native_samples("A", SIZES), store, "A", contract={}, native=True)
    with pytest.raises(DataError, match="its crops are 64 pixels wide, those of the domain are of different"):
        add(store, delivered(), contract={})
    native = list(Renamed(lambda: make_native_samples("N", SIZES, 1), "A", "may"))
    after = add(store, native, contract={}, native=True)
    assert after.image_size == min(after.samples["width"].to_pylist())
    assert verify(store, "A") == []


@pytest.mark.parametrize("name", ["", "a.b", "-a", "a" * 25])
def test_a_name_that_cannot_be_one_is_refused(store: Store, name: str):
    based(store)
    with pytest.raises(DataError, match="is not a valid name of a batch"):
        add(store, delivered(), replace(MAY, name=name))
    with pytest.raises(DataError, match="batch may has no supplier"):
        add(store, delivered(), replace(MAY, supplier=" "))


def test_the_surplus_of_an_attack_type_is_left_out_and_told(store: Store):
    before = based(store)  # of print 10 videos, of all others 15
    few = [s for s in delivered() if s.attack_type in ("print", "live")]
    masks = [replace(s, attack_type="mask", label=0) for s in few if s.attack_type == "print"]
    many = [replace(s, key=f"A-may-m{n}-{s.key[-5:]}", video=f"may-m{n}") for n, s in enumerate(masks * 20)]
    after = add(store, many, most=2)
    others = sum(videos_by_type(before)[""].values())
    assert videos_by_type(after)["may"] == {"mask": 2 * others}
    assert batches_of(after)["may"].surplus == {"mask": len(many) - 2 * others}
    assert batches_of(after)["may"].samples == 2 * others
    assert add(store, many, most=2).fingerprint == after.fingerprint


def test_two_writers_at_once_lose_no_batch(store: Store):
    before = based(store)
    names = [f"b{number}" for number in range(4)]
    start = threading.Barrier(len(names))

    def write(name: str) -> None:
        start.wait()
        add(store, delivered(name), replace(MAY, name=name))

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(write, names))
    newest = Manifest.open(store, "A")
    assert list(batches_of(newest)) == names
    assert newest.samples.num_rows == before.samples.num_rows + 15 * len(names)
    assert verify(store, "A") == []


def test_samples_are_not_published_instead_of_a_domain_with_batches(store: Store):
    based(store)
    add(store, delivered())
    with pytest.raises(DataError, match=r"domain A has the batch\(es\) may, and publishing"):
        pack(make_samples("A", SIZES, seed=3), store, "A", contract=CONTRACT)


@settings(deadline=None, max_examples=6)
@given(parts=st.lists(st.integers(0, 3), min_size=14, max_size=14), order=st.permutations([1, 2, 3]))
def test_any_split_of_the_samples_into_base_and_batches_gives_their_union(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int], order: list[int]
):
    """Whatever order the batches come in, the state is the same; retracted, it is what was before."""
    whole = list(make_samples("A", SIZES))
    videos = dict.fromkeys(sample.video for sample in whole)
    part = dict(zip(videos, [0, *parts], strict=False))
    chosen = {n: [s for s in whole if part.get(s.video, 0) == n] for n in range(4)}
    found = []
    for sequence in ([1, 2, 3], order):
        store = open_store(str(tmp_path_factory.mktemp("store")))
        states = [pack(chosen[0], store, "A", contract=CONTRACT, shard_bytes=BYTES)]
        numbers = [number for number in sequence if chosen[number]]
        for number in numbers:
            batch = replace(MAY, name=f"b{number}")
            states.append(add(store, chosen[number], batch, most=1000))
        found.append(states[-1])
        assert keys(states[-1]) == {sample.key for sample in whole}
        assert set(states[0].shards) <= set(states[-1].shards)
        assert {s.sha256 for s in states[0].shards} <= {s.sha256 for s in states[-1].shards}
        for number, before in zip(reversed(numbers), reversed(states[:-1]), strict=True):
            assert retract(store, "A", f"b{number}").fingerprint == before.fingerprint
    assert found[0].fingerprint == found[1].fingerprint
