"""Packing is reproducible, writes all or nothing, and refuses invalid samples."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.reading.stream import DomainStream, scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage import Store, open_store
from tests.samples import make_sample, make_samples


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "a"))


def content(store: Store) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list()}


def test_the_same_samples_give_the_same_bytes_anywhere(store: Store, s3):
    other = open_store(f"s3://tests/{uuid4().hex}")
    made = [
        pack(make_samples("A"), where, "A", contract={"seed": 1}, shard_bytes=8_000) for where in (store, other)
    ]
    assert content(store) == content(other)
    assert made[0].fingerprint == made[1].fingerprint


def test_packing_the_same_again_changes_nothing(store: Store):
    first = pack(make_samples("A"), store, "A", contract={"seed": 1})
    before = content(store)
    assert pack(make_samples("A"), store, "A", contract={"seed": 1}) == first
    assert content(store) == before


@pytest.mark.parametrize("change", ["samples", "contract"])
def test_a_change_is_a_new_version_beside_the_old(store: Store, change: str):
    first = pack(make_samples("A"), store, "A", contract={"seed": 1})
    before = content(store)
    seed = 2 if change == "samples" else 0
    second = pack(make_samples("A", seed=seed), store, "A", contract={"seed": 2})
    assert second.fingerprint != first.fingerprint
    assert Manifest.open(store, "A") == second
    assert before.items() <= content(store).items()
    assert "A/manifest-000002.json" in content(store)


def test_packing_repairs_a_damaged_domain(store: Store):
    first = pack(make_samples("A"), store, "A", contract={})
    for name in store.list():
        store.write(name, b"damaged")
    again = pack(make_samples("A"), store, "A", contract={})
    assert again.fingerprint == first.fingerprint
    assert verify(store, "A") == []


def test_an_interrupted_pack_leaves_the_domain_as_it_was(store: Store):
    def breaking() -> Iterator[Sample]:
        yield from make_samples("A", seed=5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(breaking(), store, "A", contract={}, shard_bytes=8_000)
    with pytest.raises(DataError, match="no domain 'A'"):
        Manifest.open(store, "A")
    first = pack(make_samples("A"), store, "A", contract={})
    with pytest.raises(KeyboardInterrupt):
        pack(breaking(), store, "A", contract={}, shard_bytes=8_000)
    assert Manifest.open(store, "A") == first


def test_packers_that_race_leave_every_version_whole(s3):
    store = open_store(f"s3://tests/{uuid4().hex}")

    def run(seed: int) -> Manifest:
        return pack(make_samples("A", seed=seed), store, "A", contract={})

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(run, (1, 1, 2, 2)))
    assert len({manifest.fingerprint for manifest in made}) == 2
    assert verify(store, "A") == []


def test_shards_fill_to_their_size(store: Store):
    manifest = pack(make_samples("A"), store, "A", contract={}, shard_bytes=8_000)
    sizes = [shard.size for shard in manifest.stream("train", 0)]
    assert len(sizes) > 3
    assert max(sizes) < 40_000  # 8,000 bytes of pictures, one picture over, and the tar's padding


def test_png_samples_pack_and_read(store: Store):
    pixels = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)
    encoded = cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    sample = replace(make_sample("A", "test", 0, label=1), image=encoded, image_ext="png")
    manifest = pack([sample], store, "A", contract={})
    (batch,) = scan(store, manifest, "test", image_size=64, batch=4)
    assert np.array_equal(batch.image[0], pixels)


GREY = np.zeros((32, 32), np.uint8)
UNFIT = {
    "dots": ({"key": "A-train0.1-0"}, "its key is not made of up to 90 letters"),
    "slash": ({"key": "A-../0"}, "its key is not made of up to 90 letters"),
    "too long": ({"key": "A-" + "x" * 90}, "its key is not made of up to 90 letters"),
    "foreign key": ({"key": "B-train0-0"}, "does not start with 'A-'"),
    "foreign domain": ({"domain": "B"}, "belongs to domain 'B', not to 'A'"),
    "foreign subject": ({"subject": "7"}, "subject '7' does not start"),
    "unknown split": ({"split": "dev"}, "'dev' is not one of"),
    "live but labelled an attack": ({"label": 0}, "label 0 contradicts its attack type 'live'"),
    "an attack labelled live": ({"attack_type": "print"}, "label 1 contradicts its attack type 'print'"),
    "no label": ({"label": 2}, "label 2"),
    "depthless live": (
        {"depth": cv2.imencode(".png", GREY)[1].tobytes()},
        "zero everywhere, but the sample is live",
    ),
    "wrong depth size": ({"depth": cv2.imencode(".png", GREY[:16])[1].tobytes()}, "not a 32×32"),
    "no image": ({"image": b"text"}, "cannot be packed"),
    "not the image it says": ({"image_ext": "png"}, "not a PNG"),
    "an unknown kind of image": ({"image_ext": "pkl"}, "'pkl' is neither jpg nor png"),
}


@pytest.mark.parametrize(("change", "problem"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_sample_is_named_and_nothing_published(store: Store, change, problem: str):
    good = make_sample("A", "train", 0, label=1)
    bad = replace(make_sample("A", "train", 1, label=1), **change)
    with pytest.raises(DataError, match=problem) as caught:
        pack([good, bad], store, "A", contract={})
    assert bad.key in str(caught.value)
    assert store.list() == []


def test_an_attack_with_depth_is_refused(store: Store):
    live, attack = make_sample("A", "train", 0, label=1), make_sample("A", "train", 1, label=0)
    with pytest.raises(DataError, match="not zero everywhere, but the sample is an attack"):
        pack([replace(attack, depth=live.depth)], store, "A", contract={})


def test_a_key_twice_is_refused(store: Store):
    sample = make_sample("A", "train", 0, label=1)
    with pytest.raises(DataError, match="an earlier sample has the same key"):
        pack([sample, sample], store, "A", contract={})


def test_a_subject_in_two_splits_is_refused(store: Store):
    one = make_sample("A", "train", 0, label=1)
    two = replace(make_sample("A", "test", 0, label=1), subject=one.subject)
    with pytest.raises(DataError, match=f"subject '{one.subject}' is in split 'train' too"):
        pack([one, two], store, "A", contract={})


def test_images_of_several_sizes_are_refused(store: Store):
    other = replace(
        make_sample("A", "train", 1, label=1),
        image=cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes(),
    )
    with pytest.raises(DataError, match="64×48 pixels, but it must be 64×64 like the first one"):
        pack([make_sample("A", "train", 0, label=1), other], store, "A", contract={})


def test_no_samples_and_bad_names_are_refused(store: Store):
    with pytest.raises(DataError, match="no samples for domain 'A'"):
        pack([], store, "A", contract={})
    with pytest.raises(DataError, match="not a valid domain name"):
        pack([], store, "../A", contract={})


def test_full_depth_is_kept_checked_and_left_alone_by_training(tmp_path: Path):
    def full(sample: Sample, side: int = 256) -> Sample:
        depth = np.full((side, side), 200, np.uint8) * np.uint8(sample.label)
        return replace(sample, full_depth=cv2.imencode(".png", depth)[1].tobytes())

    store, plain = open_store(str(tmp_path)), list(make_samples("A"))
    manifest = pack(map(full, plain), store, "A", contract={})
    assert verify(store, "A") == []
    shard = manifest.shards[0]
    found = unpack(store.read(f"A/{shard.name}"), manifest.rows(shard), shard.name)
    assert all(sample.full_depth == full(s).full_depth for sample, s in zip(found, plain[12:], strict=True))
    batch = next(DomainStream(store, manifest, split="train", batch=4, image_size=64, seed=0).batches())
    assert batch.depth.shape == (4, 8, 8)
    with pytest.raises(DataError, match="not a 256×256 8-bit grey PNG"):
        pack([full(plain[0], 128)], store, "A", contract={})
    flat = replace(full(plain[0]), label=0, attack_type="print", depth=plain[-1].depth)
    with pytest.raises(DataError, match="not zero everywhere, but the sample is an attack"):
        pack([flat], store, "A", contract={})
