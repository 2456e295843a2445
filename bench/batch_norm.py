"""Measure how much a result jumps from one checkpoint to the next, for each batch-norm policy.

    python -m bench.batch_norm [--steps 150] [--last 10] [--out FILE]

Running statistics are not used in training, so two runs with one seed have the same weights and differ in their
statistics alone. After each of the last steps, both models are judged on the sources' validation people, and so
are the same weights with recalibrated statistics.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from bench.result import give
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config, Model
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.reading.local import LocalBatches
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.recalibration import recalibrate
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import generate
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.course import build
from rfmeta_dist.training.loop import Hooks, train

CPU = torch.device("cpu")
SIZE = 64


def auc(nets: Networks, validation: list[RawBatch]) -> float:
    """Return the AUC per frame over all sources together."""
    detector = GradientDetector(nets, Model())
    scores = np.concatenate([detector.score(raw.image) for raw in validation])
    return float(roc_auc_score(np.concatenate([raw.label for raw in validation]), scores))


def judged(config: Config, sources: Sources, validation: list[RawBatch], last: int) -> dict[str, list[float]]:
    """Return the AUC after each of the last steps, with the run's own statistics and with recalibrated ones."""
    trainer = build(config, Single(), CPU)
    needs = [Need(name, index, range(config.data.batch)) for index in range(20) for name in config.data.sources]
    source, again = (
        LocalBatches(sources.store, sources.manifests, config.data, config.training.seed) for _ in range(2)
    )
    first = [again.batch(need) for need in needs]
    found: dict[str, list[float]] = {"own": [], "recalibrated": []}

    def after_step(row: dict[str, Any]) -> None:
        if row["step"] >= config.training.steps - last:
            nets = copy.deepcopy(trainer.objective.nets)
            found["own"].append(auc(nets, validation))
            recalibrate(nets, first, CPU)
            found["recalibrated"].append(auc(nets, validation))

    hooks = Hooks(after_step, lambda _: None, lambda *_: None)
    train(config, trainer, source, hooks, Progress(), CPU)
    return found


def main() -> None:
    """Print and write how much the AUC varies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--last", type=int, default=10)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for name in "OCI":
            pack(generate(name, SCALES["small"], 0), store, name, contract={"seed": 0})
        results, curves = {}, {}
        for policy in ("paper", "stable"):
            tree = {
                "run": {"name": policy},
                "data": {"prefix": folder, "sources": ["O", "C", "I"], "target": "M", "image_size": SIZE},
                "model": {"width": 0.125, "batch_norm": policy},
                "training": {"steps": o.steps, "workers": 1, "strategy": "single"},
            }
            config = check(tree, "bench")
            validation = [
                raw
                for name in "OCI"
                for raw in scan(store, Manifest.open(store, name), "validation", image_size=SIZE, batch=64)
            ]
            found = judged(config, Sources.of(config), validation, o.last)
            curves |= {policy: found["own"], f"{policy}, recalibrated": found["recalibrated"]}
    for name, values in curves.items():
        steps = np.abs(np.diff(values))
        results[name] = {
            "mean": round(float(np.mean(values)), 4),
            "spread": round(max(values) - min(values), 4),
            "jump_mean": round(float(steps.mean()), 4),
            "jump_largest": round(float(steps.max()), 4),
        }
    give({"AUC": results, "settings": vars(o) | {"out": None}}, o.out)


if __name__ == "__main__":
    main()
