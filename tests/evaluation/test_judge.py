"""A run uses the data that it started with for its threshold, its recalibration and its judging."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rfmeta_dist.cli.run import write_report
from rfmeta_dist.cluster.prepare import Prepared, pin_together, prepare
from rfmeta_dist.cluster.reading import DomainReader, Reading
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.core.types import UNITS, Split
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.manifest import GoneError, Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.evaluation import judge, thresholds
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.evaluation.validation import read_validation
from rfmeta_dist.models.build import build
from rfmeta_dist.recipes.gradient import recalibrated
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.runs import pins
from rfmeta_dist.runs.folder import open_folder, read_config
from rfmeta_dist.storage.store import Store, open_store
from tests.samples import SIZE, make_samples

CPU = torch.device("cpu")
SIZES: dict[Split, tuple[int, int]] = {"train": (6, 6), "validation": (3, 6)}
MORE: dict[Split, tuple[int, int]] = {"train": (9, 12), "validation": (6, 9)}


def publish(store: Store, domain: str, sizes: dict[Split, tuple[int, int]], seed: int = 0) -> None:
    """Publish a domain whose attacks are all of one type, as the attacks of one video must be."""
    samples = (
        sample if sample.label else replace(sample, attack_type="print")
        for sample in make_samples(domain, sizes, seed)
    )
    pack(samples, store, domain, contract={})


@pytest.fixture
def shards(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path / "data"))
    for name in "ABDM":
        publish(store, name, SIZES)
    return store


@pytest.fixture
def config(tmp_path: Path, shards: Store) -> Config:
    data = {"prefix": shards.url, "sources": ["A", "B"], "target": "D", "image_size": SIZE, "batch": 4}
    tree = {
        "run": {"name": "r", "folder": str(tmp_path / "runs")},
        "data": {**data, "cache_gb": 0},
        "model": {"width": 0.05},
        "training": {"steps": 1, "workers": 1},
        "evaluation": {"recalibration_batches": 1},
    }
    return check(tree, "test")


def of(config: Config, target: str) -> Config:
    return config.model_copy(update={"data": config.data.model_copy(update={"target": target})})


def named(config: Config, name: str) -> Config:
    return config.model_copy(update={"run": config.run.model_copy(update={"name": name})})


def train(config: Config) -> Store:
    """Leave a run's folder as training does, without its checkpoints."""
    folder = prepare(config).folder
    row = {"step": 0, "loss": 1.0, "seconds": 1.0}
    folder.write("metrics.jsonl", json.dumps(row).encode())
    folder.write("streams.json", b"{}")
    return folder


def finish(config: Config, folder: Store) -> None:
    sources = Sources.of(config, folder)
    detector, words = recalibrated(build(config.model), config, sources, CPU)
    judge.finish(config, folder, detector, sources, {"step": 1, "recalibration": words})


def evaluate(config: Config, folder: Store) -> dict[str, Any]:
    return judge.evaluate(config, folder, load_model(folder.sub("model")))


def land(shards: Store, *domains: str) -> None:
    """Publish more data of the domains."""
    for name in domains:
        publish(shards, name, MORE, seed=1)


def reads(folder: Store) -> dict[tuple[str, str], tuple[str, int]]:
    """Return state and samples of the last read, by purpose and domain."""
    rows = [json.loads(line) for line in folder.read("ledger.jsonl").splitlines()]
    return {(row["purpose"], row["domain"]): (row["manifest"], row["samples"]) for row in rows}


def test_data_that_lands_while_a_run_goes_on_is_not_read_by_it(config: Config, shards: Store):
    started_with = {name: Manifest.open(shards, name).fingerprint for name in "ABD"}
    folder = train(config)
    land(shards, "A", "D")
    again: Prepared = prepare(config)
    assert {name: m.fingerprint for name, m in again.manifests.items()} | {"D": again.pins["D"]} == started_with
    assert [note.split(" (")[0] for note in again.notes] == [
        "domain A has newer data",
        "domain D has newer data",
    ]
    assert all("this run keeps the data that it started with" in note for note in again.notes)
    # A reader that died is started anew by Ray, with the fingerprint that it was given at first.
    reader = DomainReader(Reading.of(config, started_with), "A")
    assert set(reader.batch(0, 0, 4).keys) <= set(keys(shards, "A", started_with["A"]))

    finish(config, folder)
    evaluate(config, folder)
    found = reads(folder)
    assert found["threshold", "A"] == (started_with["A"], 9)
    assert found["evaluation", "D"] == (started_with["D"], 21)
    scored = Scores.from_parquet(folder.read("scores.parquet"))
    assert set(scored.key[scored.domain == "D"]) == set(keys(shards, "D", started_with["D"]))
    about = json.loads(folder.read("model/package.json"))
    assert about["data"] == {name: started_with[name] for name in "AB"}


def keys(shards: Store, domain: str, fingerprint: str) -> list[str]:
    found: list[str] = Manifest.open(shards, domain, fingerprint).samples["key"].to_pylist()
    return found


def test_a_run_of_an_earlier_version_goes_on_with_what_its_ledger_says(config: Config, shards: Store):
    folder = train(config)
    started_with = json.loads(folder.read("manifests.json"))
    folder.delete("manifests.json")
    land(shards, "A", "D")
    found = prepare(config)
    # It wrote down what it read of the sources, and had not looked at the target.
    assert found.pins == {**started_with, "D": Manifest.open(shards, "D").fingerprint}
    assert [note.split(" (")[0] for note in found.notes] == ["domain A has newer data"]
    assert json.loads(folder.read("manifests.json")) == found.pins


def test_a_finished_run_is_judged_on_another_target_and_each_look_is_on_record(config: Config, shards: Store):
    folder = train(config)
    finish(config, folder)
    first = evaluate(config, folder)
    model = {name: folder.read(name) for name in folder.list("model")}
    other = of(config, "M")
    prepare(other)
    # The figures that are there are of the former target, and no page shows them as the new one's.
    with pytest.raises(RunError, match=r"last judged on D .*, but its target is now M .*; .* rfmeta evaluate"):
        write_report(folder)
    assert json.loads(folder.read("evaluation.json")) == first
    second = evaluate(read_config(folder), folder)
    assert (first["target"], second["target"]) == ("D", "M")
    assert set(Scores.from_parquet(folder.read("scores.parquet")).domain) == {"A", "B", "M"}
    assert {name: folder.read(name) for name in folder.list("model")} == model
    looks = [json.loads(line) for line in folder.read("ledger.jsonl").splitlines()]
    assert [row["domain"] for row in looks if row["sealed"]] == ["D", "M"]
    write_report(folder)


def test_runs_that_are_compared_read_the_same_data_whenever_they_start(config: Config, shards: Store):
    started_with = {name: Manifest.open(shards, name).fingerprint for name in "ABD"}
    several = [
        config.model_copy(update={"run": config.run.model_copy(update={"name": name})})
        for name in ("one", "two")
    ]
    assert pin_together(several) == []
    prepare(several[0])
    land(shards, "A", "D")
    late = prepare(several[1])
    assert late.pins == started_with
    assert late.manifests["A"].fingerprint == started_with["A"]


def test_a_run_says_that_its_data_was_erased(config: Config, shards: Store):
    folder = train(config)
    forget(shards, "A", "A-train0")
    for reading in (lambda: prepare(config), lambda: finish(config, folder)):
        with pytest.raises(
            GoneError, match=r"domain A .* was deleted, for example by `rfmeta shards forget`.*new run"
        ):
            reading()


def test_an_erased_target_gives_way_to_the_newest_when_the_run_is_started_again(config: Config, shards: Store):
    folder = train(config)
    finish(config, folder)
    forget(shards, "D", "D-train0")
    ledger = folder.read("ledger.jsonl")
    with pytest.raises(
        DataError, match=r"was deleted.*; give this run's `rfmeta train` command again: it trains nothing"
    ):
        evaluate(config, folder)
    assert folder.read("ledger.jsonl") == ledger
    assert prepare(config).notes == [
        "the data of target D that this run was to read was deleted; the newest data is used instead"
    ]
    assert evaluate(config, folder)["figures"]["frame"]["counts"]["live"] == 6
    assert prepare(config).notes == []


def test_a_target_that_became_unfit_is_refused_without_a_look_at_it(config: Config, shards: Store):
    folder = train(config)
    finish(config, folder)
    publish(shards, "E", {"test": (6, 0)})
    ledger = folder.read("ledger.jsonl")
    with pytest.raises(DataError, match="the target E has no attack samples"):
        evaluate(of(config, "E"), folder)
    assert folder.read("ledger.jsonl") == ledger


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"A": 1}'])
def test_damaged_pins_are_named(config: Config, content: bytes):
    folder = train(config)
    folder.write("manifests.json", content)
    with pytest.raises(RunError, match=r"manifests\.json is damaged, so it is not known which data"):
        prepare(config)


def test_compared_runs_of_different_targets_read_one_state_of_each_domain(config: Config, shards: Store):
    """This holds even if one run was pinned before newer data was published."""
    one, other = of(config, "D"), named(of(config, "M"), "other")
    pin_together([one])
    land(shards, "A")
    assert pin_together([one, other]) == []
    first, second = (pins.read(open_folder(run)) for run in (one, other))
    assert first["A"] == second["A"] != Manifest.open(shards, "A").fingerprint


def test_a_run_of_an_earlier_version_is_pinned_to_its_ledger_when_it_is_compared(config: Config, shards: Store):
    folder = train(config)
    started_with = json.loads(folder.read("manifests.json"))
    folder.delete("manifests.json")
    land(shards, "A")
    pin_together([config])
    assert pins.read(folder)["A"] == started_with["A"]


def test_validation_scores_that_do_not_give_the_models_threshold_are_refused(config: Config):
    folder = train(config)
    finish(config, folder)
    scores = Scores.from_parquet(folder.read("validation.parquet"))
    folder.write("validation.parquet", replace(scores, score=scores.score / 2).to_parquet())
    ledger = folder.read("ledger.jsonl")
    with pytest.raises(RunError, match=r"threshold for a frame does not follow from .*validation\.parquet"):
        evaluate(config, folder)
    assert folder.read("ledger.jsonl") == ledger, "the target was looked at all the same"


def test_a_package_has_the_points_of_its_validation_scores_and_others_are_refused(config: Config):
    folder = train(config)
    finish(config, folder)
    model = load_model(folder.sub("model"))
    scores = read_validation(folder, model)
    for unit in UNITS:
        assert model.operating_points[unit] == thresholds.points_from_sources(scores, unit)
    strictest = model.operating_points["video"]["bpcer@apcer1"]
    moved = {"video": {"bpcer@apcer1": replace(strictest, value=strictest.value + 0.01)}}
    with pytest.raises(RunError, match=r"threshold for a video does not follow from .*validation\.parquet"):
        read_validation(folder, replace(model, operating_points=moved))


def test_damaged_validation_scores_are_refused_by_name(config: Config):
    folder = train(config)
    finish(config, folder)
    folder.write("validation.parquet", folder.read("validation.parquet")[:-9])
    ledger = folder.read("ledger.jsonl")
    with pytest.raises(RunError, match=r"validation\.parquet is damaged") as caught:
        evaluate(config, folder)
    assert "delete the run's model/ folder" in caught.value.remedy
    assert folder.read("ledger.jsonl") == ledger, "the target was looked at all the same"
