"""What a run is judged on: looked at before the training, and corrected afterwards without a new one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from rfmeta_dist.core.errors import ConfigError, DataError, RunError
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import Store, open_store
from tests.samples import SIZE, make_native_samples, make_samples

BOTH = {"train": (6, 6), "test": (6, 6)}


def unfit(store: Store) -> None:
    """Domains that nothing can be judged on, each in its way."""
    pack(make_samples("LIVE", {"test": (6, 0)}), store, "LIVE", contract={})
    pack(make_samples("ATTACK", {"train": (6, 6), "test": (0, 6)}), store, "ATTACK", contract={})
    pack(make_samples("ONE", {"test": (2, 1)}), store, "ONE", contract={})
    pack(make_samples("SPLIT", {"train": (6, 6), "test": (2, 1)}), store, "SPLIT", contract={})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["data.target=NONE"], ["no domain 'NONE'", "A, ATTACK, B, C, D, LIVE, ONE"]),
        (
            ["data.target=LIVE"],
            ["target LIVE has no attack samples, so error rates", "ingest the missing class"],
        ),
        (
            ["data.target=ATTACK", "evaluation.target_split=test"],
            ["target ATTACK has no live samples in its split 'test'", "set evaluation.target_split=train"],
        ),
        (
            ["data.target=ATTACK", "evaluation.target_split=validation"],
            ["target ATTACK has no live samples in its split 'validation'", "evaluation.target_split"],
        ),
        (["data.target=ONE"], ["target ONE shows 1 subject,", "needs at least 2", "data.target"]),
        (["data.target=SPLIT", "evaluation.target_split=test"], ["SPLIT shows 1 subject in its split 'test'"]),
    ],
)
def test_a_target_that_cannot_be_judged_on_is_told_before_training(rfmeta, config, prefix, settings, words):
    unfit(open_store(str(prefix)))
    options = [part for s in (f"data.prefix={prefix}", *settings) for part in ("--set", s)]
    ending = rfmeta("train", config, *options)
    assert ending.code == DataError.exit_code
    for word in words:
        assert word in ending.error
    assert not (config.parent / "runs").exists()


def test_a_target_of_smaller_crops_is_told_as_a_source_would_be(rfmeta, config, tmp_path, monkeypatch):
    prefix = tmp_path / "large"
    store = open_store(str(prefix))
    pack(make_samples("D", BOTH), store, "D", contract={})
    monkeypatch.setattr("tests.samples.SIZE", 2 * SIZE)
    for name in "ABC":
        pack(make_samples(name, {"train": (3, 3), "validation": (3, 3)}), store, name, contract={})
    larger = ("--set", f"data.prefix={prefix}", "--set", f"data.image_size={2 * SIZE}")
    ending = rfmeta("train", config, *larger)
    assert ending.code == DataError.exit_code
    assert (
        f"domain D holds crops of {SIZE} pixels, which are smaller than data.image_size={2 * SIZE}"
        in ending.error
    )
    assert not (config.parent / "runs").exists()


def test_a_target_too_small_for_a_patch_is_told_before_training(rfmeta, config, prefix):
    store = open_store(str(prefix))
    native = make_native_samples("D", BOTH)
    pack(native, store, "D", contract={}, native=True)
    options = ("--set", f"data.prefix={prefix}", "--set", "data.view=patches")
    ending = rfmeta("train", config, *options)
    assert ending.code == DataError.exit_code
    smallest = Manifest.open(store, "D").image_size
    assert f"domain D holds crops of {smallest} pixels, which are smaller than a patch" in ending.error
    assert "set data.image_size=32" in ending.error
    assert "--size native --smallest 64" in ending.error
    _, said = started(config, f"data.prefix={prefix}", "data.view=patches", "data.image_size=32")
    assert said == []


@pytest.mark.parametrize("setting", ["data.target=a", "data.sources=[A,B,b]"])
def test_a_domain_is_the_same_in_capitals(rfmeta, config, setting):
    ending = rfmeta("train", config, "--set", setting)
    assert ending.code == ConfigError.exit_code
    assert "remove" in ending.error


def started(config: Path, *settings: str) -> tuple[Store, list[str]]:
    """What `rfmeta train` does before it starts Ray: the run's folder and what it says."""
    from rfmeta_dist.cluster.train import prepare
    from rfmeta_dist.config.load import load_config

    found = prepare(load_config(config, settings))
    return found.folder, found.notes


def test_no_label_of_the_target_is_read_before_training(config, prefix):
    store = open_store(str(prefix))
    head = json.loads(store.read("D/manifest-000001.json"))
    table = Manifest.open(store, "D").samples.select(["subject_id", "split"])
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    data = sink.getvalue().to_pybytes()
    store.write("D/unlabelled.parquet", data)
    for name in store.list("D"):
        if not name.endswith(("unlabelled.parquet", ".json")):
            store.delete(name)
    head["samples"] = {"name": "unlabelled.parquet", "sha256": hashlib.sha256(data).hexdigest()}
    store.write("D/manifest-000001.json", json.dumps(head).encode() + b"\n")
    folder, _ = started(config, f"data.prefix={prefix}")
    assert {json.loads(line)["domain"] for line in folder.read("ledger.jsonl").splitlines()} == {"A", "B", "C"}


def test_another_target_is_taken_without_a_new_training(rfmeta, config, prefix):
    pack(make_samples("M", BOTH), open_store(str(prefix)), "M", contract={})
    where = f"data.prefix={prefix}"
    folder, said = started(config, where)
    assert said == []
    before = {name: folder.read(name) for name in ("config.yaml", "ledger.jsonl", "manifests.json")}
    folder.write("model/package.json", b"{}")
    settings = ("--set", where, "--set", "data.target=M", "--set", "evaluation.target_split=test")
    ending = rfmeta("train", config, *settings)
    assert ending.code == 0
    assert "judged on M (split: test) from now on" in ending.err
    assert "is trained already; there is nothing to train" in ending.err
    now, then = (yaml.safe_load(data) for data in (folder.read("config.yaml"), before["config.yaml"]))
    assert (now["data"].pop("target"), then["data"].pop("target")) == ("M", "D")
    assert (now["evaluation"].pop("target_split"), then["evaluation"].pop("target_split")) == ("test", "all")
    assert now == then
    assert folder.read("config-first.yaml") == before["config.yaml"]
    assert folder.read("ledger.jsonl") == before["ledger.jsonl"]
    pins = json.loads(folder.read("manifests.json"))
    assert pins.items() > json.loads(before["manifests.json"]).items()
    assert pins["M"] == Manifest.open(open_store(str(prefix)), "M").fingerprint


def test_another_target_that_cannot_be_judged_on_changes_nothing(config, prefix):
    unfit(open_store(str(prefix)))
    where = f"data.prefix={prefix}"
    folder, _ = started(config, where)
    before = {name: folder.read(name) for name in folder.list()}
    with pytest.raises(DataError, match="target LIVE has no attack"):
        started(config, where, "data.target=LIVE")
    assert {name: folder.read(name) for name in folder.list()} == before


def test_what_decides_the_weights_is_still_refused(config, prefix):
    started(config, f"data.prefix={prefix}")
    with pytest.raises(RunError, match=r"different: method\.inner_steps, training\.seed"):
        started(config, f"data.prefix={prefix}", "training.seed=1", "method.inner_steps=2", "data.target=M")
