"""`rfmeta synth --into`: a generated domain joins another one as a batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.shards.batches import batches_of
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.card import folder

pytestmark = pytest.mark.usefixtures("cluster")


def card(place: Path, name: str) -> Path:
    """Describe a domain of one person for each split, who is filmed live and printed."""
    tree = yaml.safe_load((folder() / "I.yaml").read_text(encoding="utf-8"))
    tree |= {"name": name, "attacks": ["print"], "nuisances": []}
    tree["subjects"] = {"train": 1, "validation": 1, "test": 1}
    path = place / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def test_a_generated_domain_joins_another_one_as_a_batch(rfmeta, tmp_path: Path):
    cards = [part for name in ("SHOP", "NEW") for part in ("--card", card(tmp_path, name))]
    start = ("synth", "--out", tmp_path / "data", "--scale", "tiny", "--workers", "1", *cards)
    into = ("--domains", "NEW", "--into", "SHOP", "--batch", "may", "--supplier", "me")
    assert rfmeta(*start, *into).code == DataError.exit_code  # there is no domain SHOP yet
    assert rfmeta(*start, "--domains", "SHOP").code == 0
    store = open_store(str(tmp_path / "data"))
    before = Manifest.open(store, "SHOP")
    ending = rfmeta(*start, *into)
    assert ending.code == 0
    assert "batch may from me:" in ending.err
    after = Manifest.open(store, "SHOP")
    assert verify(store, "SHOP") == []
    new = [row for row in after.samples.to_pylist() if row["batch"]]
    assert len(new) == after.samples.num_rows - before.samples.num_rows > 0
    assert {(r["key"][:9], r["subject_id"][:9], r["video_id"][:4]) for r in new} == {
        ("SHOP-may-", "SHOP-may_", "may-")
    }
    assert batches_of(after)["may"].made["card"]["name"] == "NEW"
    assert "nothing changed" in rfmeta(*start, *into).err
    assert rfmeta(*start, "--domains", "SHOP").code == 0  # the domain itself is there, and needs no work
    assert Manifest.open(store, "SHOP").fingerprint == after.fingerprint
    other = rfmeta(*start, "--seed", 1, *into)
    assert "has a batch may already, with other samples" in other.error
    assert "has the batch(es) may" in rfmeta(*start, "--domains", "SHOP", "--rho", "0.9").error
