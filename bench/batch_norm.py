"""How much a result jumps from one checkpoint to the next, by batch-norm policy.

    python -m bench.batch_norm [--steps 150] [--last 10] [--out FILE]

Running statistics have no part in training, so two runs of one seed have the same weights, and differ in the
statistics alone. After each of the last steps, both are judged on the sources' validation people, and so are
the same weights with recalibrated statistics.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from bench.result import give
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import RawBatch
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.data.stream import DomainStream, scan
from rfmeta_dist.episode.plan import Need
from rfmeta_dist.evaluation.inference import recalibrate, score
from rfmeta_dist.ingest.pack import pack
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.strategy.single import Single
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import generate
from rfmeta_dist.training.checkpoint import Progress
from rfmeta_dist.training.loop import Hooks, build, train

CPU = torch.device("cpu")
SIZE = 64


class InMemory:
    """All batches of a run, decoded once."""

    def __init__(self, config: Config, store: Store) -> None:
        self.batches = {
            name: list(islice(self._stream(config, store, name).batches(), config.training.steps))
            for name in config.data.sources
        }

    @staticmethod
    def _stream(config: Config, store: Store, name: str) -> DomainStream:
        manifest = Manifest.open(store, name)
        return DomainStream(
            store, manifest, split="train", batch=config.data.batch, image_size=SIZE, seed=config.training.seed
        )

    def batch(self, need: Need) -> RawBatch:
        """Rows of a batch."""
        return self.batches[need.domain][need.index].rows(need.rows)

    def prefetch(self, need: Need) -> None:
        """Everything is here already."""


def auc(nets: Networks, validation: list[RawBatch]) -> float:
    """AUC per frame, over all sources together."""
    scores = np.concatenate([score(nets, raw, CPU).numpy() for raw in validation])
    return float(roc_auc_score(np.concatenate([raw.label for raw in validation]), scores))


def judged(config: Config, source: InMemory, validation: list[RawBatch], last: int) -> dict[str, list[float]]:
    """AUC after each of the last steps: with the run's own statistics, and recalibrated."""
    trainer = build(config, Single(), CPU)
    found: dict[str, list[float]] = {"own": [], "recalibrated": []}

    def after_step(row: dict[str, Any]) -> None:
        if row["step"] >= config.training.steps - last:
            nets = copy.deepcopy(trainer.objective.nets)
            found["own"].append(auc(nets, validation))
            recalibrate(nets, chain(*zip(*(b[:20] for b in source.batches.values()), strict=True)), CPU)
            found["recalibrated"].append(auc(nets, validation))

    hooks = Hooks(after_step, lambda _: None, lambda *_: None)
    train(config, trainer, source, hooks, Progress(), CPU)
    return found


def main() -> None:
    """Print and write the spreads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--last", type=int, default=10)
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        for name in "OCI":
            pack(generate(name, SCALES["demo"], 0), store, name, contract={"seed": 0})
        results, curves = {}, {}
        for policy in ("paper", "stable"):
            tree = {
                "run": {"name": policy},
                "data": {"prefix": folder, "sources": ["O", "C", "I"], "target": "M", "image_size": SIZE},
                "model": {"width": 0.125, "batch_norm": policy},
                "training": {"steps": o.steps, "workers": 1, "strategy": "single"},
            }
            config = check(tree, "bench")
            source = InMemory(config, store)
            validation = [
                raw
                for name in "OCI"
                for raw in scan(store, Manifest.open(store, name), "validation", image_size=SIZE, batch=64)
            ]
            found = judged(config, source, validation, o.last)
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
