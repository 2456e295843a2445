"""The node's cache fetches each shard once, never returns a wrong shard, and never makes a run fail."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rfmeta_dist.data.reading.cache import Cache
from rfmeta_dist.data.reading.meter import Meter
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage import open_store
from tests.samples import SIZE, make_samples


def shard(data: bytes, name: str = "train/live/000000-x.tar") -> Shard:
    return Shard(name, "train", 1, 1, len(data), hashlib.sha256(data).hexdigest())


def never() -> bytes:
    raise AssertionError("it was fetched although there is a copy")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", budget=1000)


def copies(cache: Cache) -> set[str]:
    return {path.stem for path in cache.folder.glob("*.tar")}


def test_a_shard_is_fetched_once_and_found_afterwards(cache: Cache):
    meter = Meter()
    wanted = shard(b"content")
    assert cache.get(wanted, lambda: b"content", meter) == b"content"
    assert cache.get(wanted, never, meter) == b"content"
    assert (meter.read().cache_hits, meter.read().cache_faults) == (1, 0)
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    cache.drop(wanted.sha256)
    assert copies(cache) == set()


def test_shards_of_one_name_do_not_mix(tmp_path: Path):
    cache, found = Cache(tmp_path / "cache"), {}
    for domain in ("A", "B"):
        store = open_store(str(tmp_path / domain))
        manifest = pack(make_samples(domain), store, domain, contract={})
        for _ in range(2):
            batches = scan(store, manifest, None, image_size=SIZE, batch=8, cache=cache)
            keys = [k for b in batches for k in b.keys]
            assert found.setdefault(domain, keys) == keys
            assert {key[0] for key in keys} == {domain}
    same_name = [shard(b"of A"), shard(b"of B")]
    for content, wanted in zip((b"of A", b"of B"), same_name, strict=True):
        assert cache.get(wanted, lambda content=content: content, Meter()) == content
    assert [cache.get(wanted, never, Meter()) for wanted in same_name] == [b"of A", b"of B"]


def test_the_longest_unused_make_room_but_not_those_being_read(cache: Cache):
    parts = [bytes([n]) * 300 for n in range(5)]
    wanted = [shard(part) for part in parts]

    def get(number: int) -> None:
        time.sleep(0.01)  # so that the order of use shows in the file times
        cache.get(wanted[number], lambda: parts[number], Meter())

    for number in (0, 1, 2, 0, 3):
        get(number)
    assert copies(cache) == {wanted[n].sha256 for n in (0, 2, 3)}
    with (cache.folder / f"{wanted[2].sha256}.tar").open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        get(4)
    assert copies(cache) == {wanted[n].sha256 for n in (2, 3, 4)}


def test_what_is_larger_than_the_budget_is_not_kept(cache: Cache):
    data = bytes(1001)
    assert cache.get(shard(data), lambda: data, Meter()) == data
    assert copies(cache) == set()


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"", lambda d: b"X" + d[1:]])
def test_a_damaged_copy_is_fetched_again(cache: Cache, damage):
    wanted = shard(b"content")
    cache.get(wanted, lambda: b"content", Meter())
    (cache.folder / f"{wanted.sha256}.tar").write_bytes(damage(b"content"))
    assert cache.get(wanted, lambda: b"content", Meter()) == b"content"
    assert cache.get(wanted, never, Meter()) == b"content"


def test_a_failed_fetch_leaves_nothing_and_can_be_repeated(cache: Cache):
    def fail() -> bytes:
        raise ConnectionError

    wanted = shard(b"content")
    with pytest.raises(ConnectionError):
        cache.get(wanted, fail, Meter())
    assert copies(cache) == set()
    assert cache.get(wanted, lambda: b"content", Meter()) == b"content"


def _want(folder: Path, log: Path) -> None:
    """Get a shard in another process. The fetch is slow and writes a mark."""

    def slow() -> bytes:
        with log.open("a") as file:
            file.write("fetched\n")
        time.sleep(0.3)
        return b"content"

    assert Cache(folder).get(shard(b"content"), slow, Meter()) == b"content"


def test_processes_that_want_a_shard_at_once_fetch_it_once(tmp_path: Path):
    spawn = multiprocessing.get_context("fork")
    log = tmp_path / "log"
    team = [spawn.Process(target=_want, args=(tmp_path / "cache", log)) for _ in range(4)]
    for process in team:
        process.start()
    for process in team:
        process.join(30)
        assert process.exitcode == 0
    assert log.read_text() == "fetched\n"


def _die(folder: Path) -> None:
    Cache(folder).get(shard(b"content"), lambda: os._exit(9), Meter())


def test_a_process_killed_while_fetching_blocks_nobody(tmp_path: Path):
    process = multiprocessing.get_context("fork").Process(target=_die, args=(tmp_path / "cache",))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    assert Cache(tmp_path / "cache").get(shard(b"content"), lambda: b"content", Meter()) == b"content"


def test_an_abandoned_partial_copy_is_removed(cache: Cache):
    cache.folder.mkdir()
    for name, age in ((".partial-old", 7200), (".partial-new", 0)):
        (cache.folder / name).write_bytes(b"half")
        os.utime(cache.folder / name, (time.time() - age,) * 2)
    cache.get(shard(b"content"), lambda: b"content", Meter())
    assert [path.name for path in cache.folder.glob(".partial-*")] == [".partial-new"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Make a disk of 64 KiB if mounting is permitted, else limit the size of files to 4 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    yield folder
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_costs_the_cache_and_nothing_else(tmp_path_factory, small_disk: Path):
    store = open_store(str(tmp_path_factory.mktemp("store")))
    # Packed before the limit on files, where it is that, would meet the store itself.
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit[1], limit[1]))
    manifest = pack(make_samples("A", {"train": (40, 40)}), store, "A", contract={}, shard_bytes=20_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert sum(part.size for part in manifest.shards) > 2 * 65536

    def keys(cache: Cache | None) -> tuple[list[tuple[str, ...]], DomainStream]:
        found = DomainStream(store, manifest, split="train", batch=8, image_size=SIZE, seed=0, cache=cache)
        return [batch.keys for batch, _ in zip(found.batches(), range(10), strict=False)], found

    through_cache, stream = keys(Cache(small_disk / "cache"))
    assert through_cache == keys(None)[0]
    assert stream.totals.cache_faults > 0
    assert not list(small_disk.rglob(".partial-*"))


def test_a_cache_that_cannot_be_made_is_done_without(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    meter = Meter()
    cache = Cache(tmp_path / "file" / "cache")
    assert cache.get(shard(b"content"), lambda: b"content", meter) == b"content"
    assert meter.read().cache_faults == 1


def test_a_stream_gives_the_same_with_a_cache(tmp_path: Path):
    store = open_store(str(tmp_path / "store"))
    manifest: Manifest = pack(make_samples("A"), store, "A", contract={}, shard_bytes=8_000)
    streams = [
        DomainStream(store, manifest, split="train", batch=8, image_size=SIZE, seed=0, cache=cache).batches()
        for cache in (None, Cache(tmp_path / "cache"), Cache(tmp_path / "cache", budget=20_000))
    ]
    for _ in range(12):
        first, *others = (next(stream) for stream in streams)
        assert all(other.keys == first.keys and (other.image == first.image).all() for other in others)
