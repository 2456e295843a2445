"""Make judged runs with initial weights, so that they can be looked into."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rfmeta_dist.cluster.prepare import prepare
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.evaluation import judge
from rfmeta_dist.models.build import start
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.recipes.load import load_model
from rfmeta_dist.storage.store import Store, open_store
from tests.samples import SIZE, make_native_samples, make_samples

SIZES: dict[Split, tuple[int, int]] = {"train": (6, 6), "validation": (6, 6)}


def publish(folder: Path, domains: str = "ABD", *, native: bool = False) -> str:
    """Publish domains whose attacks are all prints, and return the prefix; `native` crops differ in size."""
    store, make = open_store(str(folder)), make_native_samples if native else make_samples
    for domain in domains:
        samples = (s if s.label else replace(s, attack_type="print") for s in make(domain, SIZES))
        pack(samples, store, domain, contract={}, native=native)
    return store.url


def configured(folder: Path, prefix: str, name: str = "r", **data: Any) -> Config:
    base = {
        "prefix": prefix,
        "sources": ["A", "B"],
        "target": "D",
        "image_size": SIZE,
        "batch": 4,
        "cache_gb": 0,
    }
    tree = {
        "run": {"name": name, "folder": str(folder)},
        "data": {**base, **data},
        "model": {"width": 0.05},
        "training": {"steps": 1, "workers": 1},
    }
    return check(tree, "test")


def judged(config: Config, seed: int = 0, *, judge_it: bool = True) -> Store:
    """Return the folder of a run with initial weights, judged on its target."""
    folder = prepare(config).folder
    sources = Sources.of(config, folder)
    detector = GradientDetector(start(config.model, seed), config.model)
    judge.finish(config, folder, detector, sources, {"step": 1, "recalibration": "none"})
    for name in ("metrics.jsonl", "streams.json"):
        folder.write(name, b"" if name == "metrics.jsonl" else b"{}")
    if judge_it:
        judge.evaluate(config, folder, load_model(folder.sub("model")))
    return folder
