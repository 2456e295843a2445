"""webdataset's pipeline gives the same samples, bytes and pixels as the reader of this package."""

from __future__ import annotations

import hashlib
import io
import json
import pickle  # noqa: TID251  # what an attacker would have us do
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset
from torch.utils.data import DataLoader

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.reading.webdataset import as_webdataset
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.publish import put
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.storage import Store, open_store
from tests.samples import SIZE, make_samples

DOCS = Path(__file__).parents[2] / "docs/explanation/streaming.md"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "faces"))
    counts = {"train": (20, 30), "validation": (4, 5)}
    pack(make_samples("A", counts), store, "A", contract={}, shard_bytes=12_000)
    return store


@pytest.mark.parametrize("split", ["train", "validation", None])
def test_samples_are_those_of_our_reader(store: Store, split):
    manifest = Manifest.open(store, "A")
    ours = [
        packed
        for shard in manifest.shards
        if split in (None, shard.split)
        for packed in unpack(store.read(f"A/{shard.name}"), manifest.rows(shard), shard.name)
    ]
    theirs = list(as_webdataset(store.url, "A", split))
    assert [s["__key__"] for s in theirs] == [packed.row["key"] for packed in ours]
    assert [(s["jpg"], s["depth.png"]) for s in theirs] == [(packed.image, packed.depth) for packed in ours]
    assert [json.loads(s["json"])["label"] for s in theirs] == [packed.row["label"] for packed in ours]
    pixels = np.concatenate([b.image for b in scan(store, manifest, split, image_size=SIZE, batch=7)])
    again = np.stack([decode_image(s["jpg"], "jpg", (SIZE, SIZE)) for s in theirs])
    assert np.array_equal(pixels, again)


def test_workers_of_a_loader_share_the_shards(store: Store):
    pipeline = as_webdataset(store.url, "A", "train")
    alone = [s["__key__"] for s in pipeline]
    assert len(set(alone)) == 50
    loader = DataLoader(pipeline.compose(_keys), batch_size=None, num_workers=2)
    assert sorted(loader) == sorted(alone)


def _keys(samples):
    for sample in samples:
        yield sample["__key__"]


def test_a_damaged_shard_and_a_missing_split_are_named(store: Store, tmp_path: Path):
    with pytest.raises(
        DataError, match="domain A has no split 'test'; use one of its splits: train, validation"
    ):
        as_webdataset(store.url, "A", "test")
    with pytest.raises(DataError, match="no domain 'B'"):
        as_webdataset(store.url, "B")
    name = Manifest.open(store, "A").shards[0].name
    file = tmp_path / "faces/A" / name
    data = bytearray(file.read_bytes())
    data[700] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match=re.escape(name)):
        list(as_webdataset(store.url, "A"))


class Trap:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def forged(store: Store, content: bytes) -> Path:
    """Write a newest manifest with the hash of a first shard that has one more file in its first sample."""
    manifest = Manifest.open(store, "A")
    first, *others = manifest.shards
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"{manifest.rows(first)[0]['key']}.pyd")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
        end = file.tell()
    data = file.getvalue()[:end] + store.read(f"A/{first.name}")
    store.write(f"A/{first.name}", data)
    fitting = replace(first, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    rows = [row for shard in manifest.shards for row in manifest.rows(shard)]
    put(store.sub("A"), "manifest-000002.json", "A", [fitting, *others], rows, image_size=SIZE, contract={})
    return Path(store.url) / "A" / first.name


def test_code_in_a_shard_that_its_manifest_vouches_for_is_not_passed_on(store: Store, tmp_path: Path):
    shard = forged(store, pickle.dumps(Trap(tmp_path / "sprung")))
    next(iter(webdataset.WebDataset(str(shard), shardshuffle=False).decode()))
    assert (tmp_path / "sprung").exists()  # or the trap would prove nothing
    (tmp_path / "sprung").unlink()
    samples = list(as_webdataset(store.url, "A").compose(webdataset.decode()))
    assert samples[0].keys() == {"__key__", "__url__", "jpg", "depth.png", "json"}
    assert not (tmp_path / "sprung").exists()


def test_the_example_of_the_documentation_runs(store: Store):
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names: dict = {}
    exec(example.replace("s3://bucket/faces", store.url).replace('"O"', '"A"'), names)
    assert names["image"].shape == (SIZE, SIZE, 3)
    depth = names["depth"]
    assert depth.shape == (32, 32, 3)
    assert (depth == depth[..., :1]).all(), "three equal channels"
    assert names["labels"]["label"] in (0, 1)
    assert webdataset.__name__ in example
