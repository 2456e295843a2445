"""Several checkpoints of a run are judged in one opening of the seal, and chosen among on the sources alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rfmeta_dist.cluster import judging
from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.evaluation import figures
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.storage.store import Store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.training import checkpoint, kept
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train
from tests.stored import SHARDS

CPU = torch.device("cpu")
NAMES = ["step-0000002", "step-0000004", "step-0000006", "average"]


def configuration(folder: Path, name: str, training: dict[str, Any], evaluation: dict[str, Any]) -> Config:
    data = {"prefix": str(SHARDS), "sources": ["O", "C"], "target": "M", "image_size": 32, "batch": 4}
    tree = {
        "run": {"name": name, "folder": str(folder)},
        "data": {**data, "cache_gb": 0},
        "model": {"width": 0.03},
        "method": {"name": "no_depth"},
        "training": {"steps": 6, "checkpoint_every": 2, "workers": 1, "strategy": "single", **training},
        "evaluation": {"recalibration_batches": 1, **evaluation},
    }
    return check(tree, "test")


def trained(config: Config) -> Store:
    """Leave a run's folder as training does."""
    folder, sources, trainer = prepare(config).folder, Sources.of(config), build(config, Single(), CPU)

    def save(done: Progress) -> None:
        place = folder.sub(kept.folder_name(done.step))
        checkpoint.save(place, trainer, trainer.strategy.moments(), done, "f")
        kept.prune(folder, done.step, config.training.keep)

    batches = LocalBatches(sources.store, sources.manifests, config.data, config.training.seed)
    train(config, trainer, batches, Hooks(lambda _: None, save, lambda *_: None), Progress(), CPU)
    return folder


def ledger(folder: Store) -> list[dict[str, Any]]:
    return [json.loads(line) for line in folder.read("ledger.jsonl").splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Store]:
    """A judged run with one candidate, as all runs are by default."""
    config = configuration(tmp_path_factory.mktemp("alone"), "alone", {}, {})
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    judging.evaluate(config, folder, "cpu")
    return config, folder


def several(folder: Path, rule: str) -> Config:
    return configuration(folder, rule, {"keep": 3, "average": 0.5}, {"candidates": 3, "checkpoint": rule})


def test_all_candidates_are_judged_in_one_opening_of_the_seal(tmp_path: Path):
    config = several(tmp_path, "best")
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    before = ledger(folder)
    assert not any(row["sealed"] for row in before)
    assert [row["domain"] for row in before if row["purpose"] == "threshold"] == ["O", "C"]
    result = judging.evaluate(config, folder, "cpu")
    opened = [row for row in ledger(folder) if row["sealed"]]
    assert [(row["purpose"], row["domain"], row["models"]) for row in opened] == [("evaluation", "M", NAMES)]

    rows = result["checkpoints"]["candidates"]
    assert [row["name"] for row in rows] == NAMES
    assert result["checkpoints"]["chosen"] == min(reversed(rows), key=lambda r: (r["EER"], -r["AUC"]))["name"]
    assert result["selection"].startswith("lowest equal error rate per video on the sources")
    for row in rows:  # anyone can compute the figures again from what is stored
        both = Scores.from_parquet(folder.read(f"candidates/{row['name']}/scores.parquet"))
        sources, target = both.select(both.domain != "M"), both.select(both.domain == "M")
        assert figures.by_video(sources, target) == (row["target"]["HTER"], row["target"]["AUC"])
    chosen = next(row for row in rows if row["name"] == result["checkpoints"]["chosen"])
    assert result["figures"]["video"]["HTER"]["value"] == chosen["target"]["HTER"]
    model = f"candidates/{chosen['name']}/model/weights.safetensors"
    assert folder.read("model/weights.safetensors") == folder.read(model)


def test_a_model_of_the_last_step_is_the_same_with_other_candidates_and_without(
    tmp_path: Path, alone: tuple[Config, Store]
):
    config = several(tmp_path, "last")
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    judging.evaluate(config, folder, "cpu")
    single, plain = (json.loads(f.read("evaluation.json")) for f in (folder, alone[1]))
    assert single["figures"] == plain["figures"]
    assert (single["selection"], plain["selection"]) == ("last step", "last step")
    assert "checkpoints" not in plain
    assert folder.read("model/weights.safetensors") == alone[1].read("model/weights.safetensors")
    assert not alone[1].list("candidates")
    assert "checkpoints" not in json.loads(alone[1].read("model/package.json"))


def test_the_average_has_batch_norm_statistics_of_its_own(tmp_path: Path, alone: tuple[Config, Store]):
    config = configuration(tmp_path, "average", {"average": 0.5}, {"checkpoint": "average"})
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    result = judging.evaluate(config, folder, "cpu")
    assert result["selection"] == "average of the weights"
    saved = checkpoint.read(folder.sub("step-0000006"))
    model = checkpoint.parse_tensors(folder.read("model/weights.safetensors"))
    for name, value in saved.average.items():
        assert torch.equal(model[name], value)
    statistics = "M.bn2_3.running_var"
    last = checkpoint.parse_tensors(alone[1].read("model/weights.safetensors"))
    assert not torch.equal(model[statistics], last[statistics])
    assert not torch.equal(model[statistics], saved.weights[statistics])


def test_an_interrupted_choice_goes_on_with_the_same_result_and_a_damaged_checkpoint_costs_a_candidate(
    tmp_path: Path,
):
    config = several(tmp_path, "best")
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    first = folder.read("model/package.json")
    for name in [*folder.list("model"), *folder.list("candidates/average")]:
        folder.delete(name)
    judging.finish(config, folder, "cpu")
    assert folder.read("model/package.json") == first
    for name in [*folder.list("model"), *folder.list("candidates")]:
        folder.delete(name)
    folder.write("step-0000002/model.safetensors", b"damaged")
    judging.finish(config, folder, "cpu")
    choice = json.loads(folder.read("model/package.json"))["checkpoints"]
    assert [row["name"] for row in choice["candidates"]] == NAMES[1:]
    assert choice["left_out"] == NAMES[:1]


def test_candidates_that_were_deleted_or_edited_stop_the_evaluation_until_they_are_made_anew(tmp_path: Path):
    config = several(tmp_path, "last")
    folder = trained(config)
    judging.finish(config, folder, "cpu")
    kept_model, place = folder.read("model/package.json"), "candidates/step-0000002"
    scores = folder.read(f"{place}/validation.parquet")
    other = folder.read("candidates/step-0000004/validation.parquet")
    for name, data in (("model/weights.safetensors", b"edited"), ("validation.parquet", other)):
        before = folder.read(f"{place}/{name}")
        folder.write(f"{place}/{name}", data)
        with pytest.raises(RunError, match=r"^the candidate step-0000002 of this run cannot be read"):
            judging.evaluate(config, folder, "cpu")
        folder.write(f"{place}/{name}", before)
    folder.delete(f"{place}/validation.parquet")
    with pytest.raises(RunError, match=r"validation\.parquet"):
        judging.evaluate(config, folder, "cpu")
    folder.write(f"{place}/validation.parquet", scores)
    for name in folder.list("candidates"):
        folder.delete(name)
    with pytest.raises(RunError, match=r"model/package\.json is missing") as found:
        judging.evaluate(config, folder, "cpu")
    assert not any(row["sealed"] for row in ledger(folder))
    assert "delete the run's folders candidates/ and model/" in found.value.remedy
    for name in folder.list("model"):
        folder.delete(name)
    judging.finish(config, folder, "cpu")
    assert folder.read("model/package.json") == kept_model
    assert judging.evaluate(config, folder, "cpu")["checkpoints"]["chosen"] == "step-0000006"
