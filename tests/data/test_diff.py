"""`diff` lists what was added, removed and changed between two states of a domain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rfmeta_dist.data.shards.manifest import parse
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.diff import Change, diff
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.storage import open_store
from tests.samples import make_samples

NONE = Change((), (), ())


def test_what_came_went_and_changed_is_named(tmp_path: Path):
    store = open_store(str(tmp_path))
    first = list(make_samples("A"))
    second = [replace(first[1], image=first[2].image), *first[2:]]
    more = replace(first[0], key="A-more-0", video="more")
    one = pack(first, store, "A", contract={"crop": {"margin": 0.1, "aligned": False}, "seed": 1})
    two = pack([*second, more], store, "A", contract={"crop": {"margin": 0.2, "aligned": False}, "tool": "x"})
    found = diff(one, two)
    assert found.samples == Change(("A-more-0",), (first[0].key,), (first[1].key,))
    assert found.contract == Change(("tool",), ("seed",), ("crop.margin",))
    live = [next(s.name for s in manifest.shards if s.label) for manifest in (one, two)]
    assert found.shards == Change((live[1],), (live[0],), ())
    assert diff(two, one).samples == Change((first[0].key,), ("A-more-0",), (first[1].key,))


def test_the_same_data_in_other_shards_is_the_same_data(tmp_path: Path):
    store = open_store(str(tmp_path))
    big = pack(make_samples("A"), store, "A", contract={})
    small = pack(make_samples("A"), store, "A", contract={}, shard_bytes=8_000)
    assert diff(big, big).samples == diff(big, big).shards == diff(big, big).contract == NONE
    assert diff(big, small).samples == NONE
    assert len(diff(big, small).shards.added) == len(small.shards)


def test_a_forgotten_subject_is_all_that_went(tmp_path: Path):
    store = open_store(str(tmp_path))
    before = pack(make_samples("A"), store, "A", contract={})
    done = forget(store, "A", "A-train1")
    after = parse(store.sub("A"), "A", "manifest-000002.json")
    assert diff(before, after).samples == Change((), tuple(done.samples), ())
