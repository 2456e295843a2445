"""Runs whose models were not trained, but judged and packaged as trained ones are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config, Model
from rfmeta_dist.data.reading.sources import Sources
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.evaluation import judge
from rfmeta_dist.export import deployment
from rfmeta_dist.export.graph import PixelScorer, to_onnx
from rfmeta_dist.models.networks import Networks
from rfmeta_dist.recipes.gradient import GradientDetector
from rfmeta_dist.runs.folder import open_folder
from rfmeta_dist.storage.store import Store, open_store
from tests.lively import lively
from tests.samples import make_native_samples, make_samples

SIZES = {"train": (9, 12), "validation": (12, 15)}
RULE = {"size": 64, "margin": 1.5, "around": "landmarks"}
Finished = Callable[..., Store]


def configured(folder: Path, prefix: Path, name: str, **data: Any) -> Config:
    tree = {
        "run": {"name": name, "folder": str(folder)},
        "data": {"prefix": str(prefix), "sources": ["A", "B"], "image_size": 32, "cache_gb": 0, **data},
        "model": {"width": 0.1},
    }
    return check(tree, "test")


@pytest.fixture(scope="session", autouse=True)
def converted_once() -> Iterator[None]:
    """Let `export` take an ONNX model that it has made before of the same scorer.

    A conversion takes seconds, and most tests of `export` give it the same networks and look at what it does
    around the conversion. The same scorer gives the same bytes, which test_onnx_graph proves.
    """
    made: dict[str, bytes] = {}

    def convert(scorer: PixelScorer) -> bytes:
        built = hashlib.sha256(repr((scorer, scorer.side, scorer.patches, scorer.rule)).encode())
        for name, tensor in scorer.state_dict().items():
            built.update(name.encode() + tensor.numpy().tobytes())
        key = built.hexdigest()
        if key not in made:
            made[key] = to_onnx(scorer)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "to_onnx", convert)
        yield


@pytest.fixture(scope="session")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Prefixes with the domains A and B: crops of 64 pixels, and crops of native sizes."""
    made = {}
    for view, make in (("face", make_samples), ("patches", make_native_samples)):
        made[view] = tmp_path_factory.mktemp(view)
        size = 64 if view == "face" else {"smallest": 40, "largest": 120}
        for name in "AB":
            samples = [s if s.label else replace(s, attack_type="print") for s in make(name, SIZES)]
            contract = {"crop": {**RULE, "size": size}}
            pack(samples, open_store(str(made[view])), name, contract=contract, native=view == "patches")
    return made


@pytest.fixture(scope="session")
def finished(prefixes: dict[str, Path]) -> Finished:
    """Return a function that makes the folder of a finished run from networks."""

    def make(folder: Path, nets: Networks | None = None, change: Any = None, view: str = "face") -> Store:
        patches = {} if view == "face" else {"view": "patches", "patch_grid": 2}
        config = configured(folder, prefixes[view], view, **patches)
        sources, run = Sources.of(config), open_folder(config)
        detector = GradientDetector(nets or lively(), Model(width=0.1))
        config = config if change is None else change(config)
        facts = {"step": 7, "recalibration": "in words"}
        judge.finish(config, run, detector, sources, facts)
        return run

    return make


@pytest.fixture(scope="session")
def run(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A finished run on whole faces, without a target; not to be changed."""
    return finished(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def patched(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A finished run on patches of crops of native sizes; not to be changed."""
    return finished(tmp_path_factory.mktemp("runs"), view="patches")
