"""What is done to a domain with batches, and reads from it, does right by them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.batches import Batch, batches_of, publish_batch, retract, set_reviewed
from rfmeta_dist.data.shards.copy import copy
from rfmeta_dist.data.shards.delivery import Renamed
from rfmeta_dist.data.shards.manifest import GoneError, Manifest, domains
from rfmeta_dist.data.shards.membership import protocols_of, restricted
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.diff import diff
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.data.upkeep.orphans import clean, orphans
from rfmeta_dist.data.upkeep.stats import stats
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.data.test_streams import same
from tests.samples import SIZE, make_samples

MAY = Batch("may", "Acme", "2026-05-01T00:00:00+00:00")
SIZES = {"train": (12, 20), "validation": (3, 3), "test": (3, 6)}
MORE = {"train": (3, 6), "validation": (3, 3), "test": (3, 3)}
ERASED = "A-may-train0"


def training(store: Store, manifest: Manifest) -> DomainStream:
    return DomainStream(store, manifest, split="train", batch=4, image_size=SIZE, seed=3)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "data"))


@pytest.fixture
def before(store: Store) -> Manifest:
    protocols = [replace(s, protocols=(f"1/{s.split}",)) for s in make_samples("A", SIZES)]
    return pack(protocols, store, "A", contract={"notes": []}, shard_bytes=8_000)


@pytest.fixture
def after(store: Store, before: Manifest) -> Manifest:
    samples = Renamed(lambda: make_samples("N", MORE, seed=1), "A", "may")
    contract = {"notes": [f"{ERASED} was turned", "A-may-train01 was not"]}
    publish_batch(samples, store, "A", MAY, contract=contract, shard_bytes=8_000)
    return set_reviewed(store, "A", "may")


def test_training_on_an_earlier_state_reads_the_same_bits_while_a_batch_lands(store: Store, before: Manifest):
    whole = list(islice(training(store, before).batches(), 12))
    running = training(store, before).batches()
    first = list(islice(running, 5))
    publish_batch(Renamed(lambda: make_samples("N", MORE, 1), "A", "may"), store, "A", MAY, contract={})
    pinned = Manifest.open(store, "A", before.fingerprint)
    resumed = training(store, pinned).batches(start=5)
    for rest in (running, resumed):
        for one, other in zip(whole, [*first, *islice(rest, 7)], strict=True):
            assert same(one, other)


def test_training_on_the_new_state_reads_the_batch_too(store: Store, after: Manifest):
    keys = {key for batch in islice(training(store, after).batches(), 40) for key in batch.keys}
    assert {key.startswith("A-may-") for key in keys} == {True, False}
    for split in SPLITS:
        whole = {k for b in scan(store, after, split, image_size=SIZE, batch=8) for k in b.keys}
        assert len(whole) == sum(SIZES[split]) + sum(MORE[split])


def test_forget_erases_a_person_of_a_batch_and_keeps_what_is_known_of_the_batch(
    store: Store, before: Manifest, after: Manifest
):
    done = forget(store, "A", ERASED)
    newest = Manifest.open(store, "A")
    assert len(done.samples) == 3
    assert verify(store, "A") == []
    known = batches_of(after)["may"]
    assert batches_of(newest) == {"may": replace(known, made={"notes": ["A-may-train01 was not"]})}
    assert set(newest.samples["batch"].to_pylist()) == {"", "may"}
    assert set(before.shards) < set(newest.shards)
    assert Manifest.open(store, "A", before.fingerprint).shards == before.shards  # it never held the person
    with pytest.raises(GoneError):
        Manifest.open(store, "A", after.fingerprint)
    # The same delivery again does not bring the person back.
    again = publish_batch(Renamed(lambda: make_samples("N", MORE, 1), "A", "may"), store, "A", MAY, contract={})
    assert again.fingerprint == newest.fingerprint
    assert set(retract(store, "A", "may").shards) == set(before.shards)


def test_forget_erases_a_person_of_the_domain_and_the_batch_stays(store: Store, after: Manifest):
    forget(store, "A", "A-train1")
    newest = Manifest.open(store, "A")
    assert batches_of(newest) == batches_of(after)
    assert newest.samples["batch"].to_pylist().count("may") == after.samples["batch"].to_pylist().count("may")
    assert verify(store, "A") == []


def test_diff_names_the_samples_shards_and_facts_of_a_batch(store: Store, before: Manifest, after: Manifest):
    found = diff(before, after)
    assert len(found.samples.added) == 21
    assert (found.samples.removed, found.samples.changed, found.shards.removed) == ((), (), ())
    assert {"batches.may.supplier", "batches.may.reviewed"} <= set(found.contract.added)
    undone = set_reviewed(store, "A", "may", reviewed=False)
    assert diff(after, undone).contract.changed == ("batches.may.reviewed",)
    assert diff(after, undone).samples.added == ()


def test_stats_verify_and_orphans_count_a_batch_as_part_of_the_domain(
    store: Store, before: Manifest, after: Manifest
):
    assert sum(row.samples for row in stats(after)) == sum(row.samples for row in stats(before)) + 21
    assert verify(store, "A") == []
    retract(store, "A", "may")
    assert orphans(store, "A") == []  # an earlier state names the batch's shards, and may be read
    assert clean(store, "A") == []
    assert domains(store) == ["A"]


def test_a_damaged_shard_of_a_batch_is_found(store: Store, after: Manifest):
    shard = next(shard for shard in after.shards if after.rows(shard)[0]["batch"])
    store.sub("A").write(shard.name, b"x" * shard.size)
    assert [finding.where for finding in verify(store, "A")] == [shard.name]


def test_a_copy_has_the_batch_and_its_facts(store: Store, after: Manifest, tmp_path: Path):
    target = open_store(str(tmp_path / "copy"))
    copied = copy(store, "A", target)
    assert copied.fingerprint == after.fingerprint
    assert batches_of(copied) == batches_of(after)
    assert verify(target, "A") == []


def test_a_protocol_holds_what_its_lists_name_and_not_the_batch(before: Manifest, after: Manifest):
    assert protocols_of(after) == ["1"]
    part = restricted(after, "1", SPLITS)
    assert set(part.samples["key"].to_pylist()) == set(before.samples["key"].to_pylist())
    assert restricted(after, "splits", SPLITS).samples.num_rows == after.samples.num_rows


def test_shards_that_are_cleaned_away_while_a_batch_is_added_are_noticed(store: Store, before: Manifest):
    samples = list(Renamed(lambda: make_samples("N", MORE, 1), "A", "may"))

    class Meddled(list):
        """Samples; when they have been read twice, all shards that no manifest names are deleted."""

        reads = 0

        def __iter__(self):
            yield from super().__iter__()
            self.reads += 1
            if self.reads == 2:
                for name in orphans(store, "A"):
                    store.sub("A").delete(name)

    with pytest.raises(DataError, match="shards of batch may were deleted while it was added"):
        publish_batch(Meddled(samples), store, "A", MAY, contract={}, shard_bytes=8_000)
    assert Manifest.open(store, "A").fingerprint == before.fingerprint
