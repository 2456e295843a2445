"""Damaged, forged or foreign data raises an error that names it; it is not delivered, skipped or executed."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle  # noqa: TID251  # what an attacker would have us do
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.decode import decode, image_size
from rfmeta_dist.data.shards.manifest import Manifest, Shard
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import put
from rfmeta_dist.data.shards.unpack import Packed, unpack
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import SIZE, make_samples

Damage = Callable[[bytes], bytes]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.fixture
def manifest(store: Store) -> Manifest:
    return pack(make_samples("A"), store, "A", contract={}, shard_bytes=8_000)


@pytest.fixture
def shard(manifest: Manifest) -> Shard:
    return manifest.stream("train", 1)[0]


def members(data: bytes) -> list[tarfile.TarInfo]:
    return tarfile.open(fileobj=io.BytesIO(data)).getmembers()


def with_member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"code") -> Damage:
    """Add a member to the front of a tar."""

    def add(data: bytes) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            tar.addfile(member, io.BytesIO(content))
            end = file.tell()
        return file.getvalue()[:end] + data

    return add


def at_third_member(edit: Callable[[bytes, int], bytes]) -> Damage:
    return lambda data: edit(data, members(data)[3].offset)


def resummed(data: bytes) -> bytes:
    """Return the tar with a correct checksum in its first header."""
    total = sum(data[:148]) + 8 * ord(" ") + sum(data[156:512])
    return data[:148] + f"{total:06o}\0 ".encode() + data[156:]


DAMAGES: dict[str, Damage] = {
    "cut at a member's boundary": at_third_member(lambda data, at: data[:at]),
    "cut at a boundary and ended well": at_third_member(lambda data, at: data[:at] + bytes(1024)),
    "cut inside a header": at_third_member(lambda data, at: data[: at + 100]),
    "cut inside a payload": at_third_member(lambda data, at: data[: at + 600]),
    "a header's checksum is wrong": at_third_member(
        lambda data, at: data[: at + 148] + b"0000000" + data[at + 155 :]
    ),
    "a size below zero": lambda data: data[:124] + b"-0000001000\0" + data[136:],
    "a size below zero, vouched for": lambda data: resummed(data[:124] + b"-0000001000\0" + data[136:]),
    "a payload changed": at_third_member(lambda data, at: data[: at + 600] + b"\0\1\2\3" + data[at + 604 :]),
    **{
        f"a member that could be code: {ending}": with_member(f"A-train0-00000.{ending}")
        for ending in ("pyd", "pkl", "pickle", "pth", "npy", "py", "so", "jpg.pkl", "pkl.gz")
    },
    "a sample of another shard": with_member("A-other-00000.json"),
    "a name that climbs out": with_member("../../A-train0-00000.json"),
    "an absolute name": with_member("/etc/A-train0-00000.json"),
    "a key with a dot": with_member("A-train0-00000.v2.json"),
    "the same member twice": lambda data: data[: members(data)[1].offset] + data,
    "compressed": gzip.compress,
    "empty": lambda _: b"",
    "not a tar": lambda _: bytes(range(256)) * 100,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_shard_is_refused_whole(store, manifest, shard, damage: Damage):
    data = damage(store.read(f"A/{shard.name}"))
    # As if the manifest vouched for these bytes: what is inside must be refused for itself.
    with pytest.raises(DataError, match=shard.name):
        unpack(data, manifest.rows(shard), shard.name)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_nothing_of_a_domain_with_a_damaged_shard_is_delivered(store, manifest, shard, damage):
    name = f"A/{shard.name}"
    store.write(name, damage(store.read(name)))
    with pytest.raises(DataError, match=f"{shard.name} is damaged"):
        next(stream(store, manifest).batches())  # all the shards are of one window
    assert [finding.where for finding in verify(store, "A")] == [shard.name]


def stream(store: Store, manifest: Manifest) -> DomainStream:
    return DomainStream(store, manifest, split="train", batch=4, image_size=SIZE, seed=0)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_plain_files_belong_in_a_shard(store, manifest, shard, kind):
    data = with_member("A-train0-00000.json", kind)(store.read(f"A/{shard.name}"))
    with pytest.raises(DataError, match="which does not belong in a shard"):
        unpack(data, manifest.rows(shard), shard.name, known=True)


def test_a_missing_shard_is_named(store, manifest, shard):
    store.delete(f"A/{shard.name}")
    with pytest.raises(DataError, match=f"{shard.name} is missing"):
        list(scan(store, manifest, None, image_size=SIZE, batch=4))
    assert [finding.where for finding in verify(store, "A")] == [shard.name]


def test_a_damaged_transfer_is_read_again(store, manifest):
    @dataclass
    class Flaky:
        """A store whose first read of every object returns only a part."""

        inner: Store
        met: set[str]

        @property
        def url(self) -> str:
            return self.inner.url

        def read(self, name: str) -> bytes:
            data = self.inner.read(name)
            if name in self.met:
                return data
            self.met.add(name)
            return data[:-1]

        def sub(self, name: str) -> Flaky:
            return Flaky(self.inner.sub(name), self.met)

    batches = stream(Flaky(store, set()), manifest).batches()
    assert next(batches).keys == next(stream(store, manifest).batches()).keys


def test_a_sound_domain_has_no_findings(store, manifest):
    assert verify(store, "A") == []


def sample_with(manifest: Manifest, shard: Shard, store: Store, **parts: bytes) -> Packed:
    rows = manifest.rows(shard)
    first = unpack(store.read(f"A/{shard.name}"), rows, shard.name)[0]
    return Packed(first.row, parts.get("image", first.image), parts.get("depth", first.depth))


def bomb(data: bytes) -> bytes:
    """Return a JPEG whose header says 65,000 × 65,000 pixels."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + (65_000).to_bytes(2, "big") * 2 + data[at + 4 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def nothing(_: bytes) -> bytes:
    return b""


def deep(_: bytes) -> bytes:
    return cv2.imencode(".png", np.ones((32, 32), np.uint16))[1].tobytes()


@pytest.mark.parametrize(
    ("part", "spoil"),
    [
        ("image", bomb),
        ("image", cut),
        ("image", nothing),
        ("depth", deep),
        ("depth", cut),
        ("depth", nothing),
    ],
)
def test_a_bad_picture_is_named(store, manifest, shard, part: str, spoil: Damage):
    sound = sample_with(manifest, shard, store)
    bad = sample_with(manifest, shard, store, **{part: spoil(getattr(sound, part))})
    with pytest.raises(DataError, match=f"sample {sound.row['key']} cannot be decoded"):
        decode(bad, SIZE)


def test_a_png_that_claims_too_much_is_refused():
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    with pytest.raises(ValueError, match="60000×60000"):
        image_size(header, "png")


def test_a_forged_hash_in_the_table_is_refused(store, manifest, shard):
    rows = [dict(row) for row in manifest.rows(shard)]
    rows[0]["sha256_depth"] = hashlib.sha256(b"").digest()
    with pytest.raises(
        DataError, match=f"{rows[0]['key']}.*its depth is missing or does not match the manifest"
    ):
        unpack(store.read(f"A/{shard.name}"), rows, shard.name)


# --- data that somebody forged, hashes and all ------------------------------------------------------


def forged(store: Store, manifest: Manifest, shard: Shard, *, name: str = "", data: bytes = b"") -> Manifest:
    """Write a newest manifest with the hash of changed content of a shard, or of a shard with another name."""
    content = data or store.read(f"A/{shard.name}")
    other = replace(
        shard, name=name or shard.name, size=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    if data:
        store.write(f"A/{shard.name}", data)
    shards = [other if found == shard else found for found in manifest.shards]
    rows = [row | {"shard": other.name} for row in manifest.rows(shard)]
    rows = [row for s in manifest.shards for row in (rows if s == shard else manifest.rows(s))]
    put(store.sub("A"), "manifest-000002.json", "A", shards, rows, image_size=SIZE, contract={})
    return Manifest.open(store, "A")


class Trap:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("ending", ["pyd", "pkl", "pickle", "pth", "json"])
def test_code_in_a_shard_that_its_manifest_vouches_for_is_never_run(store, manifest, shard, tmp_path, ending):
    payload = pickle.dumps(Trap(tmp_path / "sprung"))
    pickle.loads(payload)
    assert (tmp_path / "sprung").exists()  # or the trap would prove nothing
    (tmp_path / "sprung").unlink()
    data = with_member(f"A-train0-00000.{ending}", content=payload)(store.read(f"A/{shard.name}"))
    found = forged(store, manifest, shard, data=data)
    with pytest.raises(DataError, match=shard.name):
        list(scan(store, found, None, image_size=SIZE, batch=4))
    with pytest.raises(DataError, match=shard.name):
        next(stream(store, found).batches())
    assert [finding.where for finding in verify(store, "A")] == [shard.name]
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["../B/train/live/x.tar", "train/../../x.tar", "/etc/hostname"])
def test_a_manifest_cannot_lead_out_of_its_domain(store, manifest, shard, name: str):
    store.write("B/train/live/x.tar", store.read(f"A/{shard.name}"))
    found = forged(store, manifest, shard, name=name)
    with pytest.raises(StorageError, match=f"'{name}' is not a valid object name"):
        list(scan(store, found, None, image_size=SIZE, batch=4))
