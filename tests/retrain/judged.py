"""Attempts that ended without a training: a package, and scores and verdict if they were judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from rfmeta_dist.config.retrain import Retraining, load_retraining
from rfmeta_dist.core.digests import digest
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.detectors.api import Threshold
from rfmeta_dist.retrain import attempts, promotion, registering, watch
from rfmeta_dist.retrain.attempts import Asked, Attempt
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.known import NOTHING
from rfmeta_dist.retrain.pairs import Pairs
from rfmeta_dist.retrain.registry import Version
from rfmeta_dist.storage.store import open_store
from tests.retrain.pairs_made import frozen, made, new

FROZEN = frozen({"live": (600, 4, 4), "print": (600, 4, 4)})
BETTER = made(FROZEN + new({"card": (200, 60, 4), "live": (40, 0, 0)}))
WORSE = made(frozen({"live": (600, 4, 4), "print": (600, 4, 90)}) + new({"card": (200, 60, 4)}))


def package(folder: Path | str, name: str) -> None:
    """Write a deployment package whose model scores nothing."""
    threshold = asdict(Threshold(0.5, "video", "somewhere", 0.1))
    about = {
        "kind": "onnx",
        "name": name,
        "precision": "fp32",
        "parent": digest(name.encode()),
        "input": {"size": [32, 32], "color": "RGB", "dtype": "uint8", "crop": {}, "detector": {}},
        "thresholds": {"frame": threshold | {"unit": "frame"}, "video": threshold},
        "operating_points": {},
    }
    files = {"model.onnx": name.encode(), "card.md": b"# card", "card.json": b"{}"}
    deployment.write(open_store(str(folder)), files, about)


class Judged:
    """A retraining, by its file, whose attempts are made up.

    Args:
        at: folder that the file is written into.
        fields: further fields of the configuration, such as `promotion`.
    """

    def __init__(self, at: Path, **fields: Any) -> None:
        base = {"data": {"prefix": str(at / "shards"), "sources": ["A", "B"], "target": None}}
        given = {"name": "shop", "folder": str(at / "retrain"), "base": base, **fields}
        self.file = at / "retrain.yaml"
        self.file.write_text(yaml.safe_dump(given))

    @property
    def config(self) -> Retraining:
        return load_retraining(self.file)

    def attempt(self, pairs: Pairs | None = None, outcome: str = "approve", **asked: Any) -> Attempt:
        """End an attempt that was compared with the present champion, unless it has none to compare with."""
        config = self.config
        store, now = open_store(config.place), promotion.champion(open_store(config.registry_place))
        number = len(attempts.attempts(store)) + 1
        fields: Mapping[str, Any] = {
            "number": number,
            "reasons": ("a test",),
            "pins": {},
            "code": watch.starts.code(),
            "configuration": f"configuration {number}",
            "champion": {"number": now.number, "attempt": now.tags["attempt"], "decided": now.decided}
            if now
            else None,
            "forced": 0,
            "seed": 0,
            "batches": {"A": [f"b{n}" for n in range(1, number + 1)]},
            "new_batches": {},
            "started": attempts.now(),
        }
        made = attempts.begin(store, Asked(**{**fields, **asked}), NOTHING)
        package(made.folder.sub("package").url, f"package {number}")
        if pairs is not None and now is not None:
            mine = deployment.read(made.folder.sub("package")).sha256
            scores = replace(pairs, packages=(now.tags["package"], mine)).to_parquet()
            made.folder.write("scores.parquet", scores)
            made.write("verdict.json", judge(Pairs.from_parquet(scores), config.gate).as_dict())
        made.end({"outcome": outcome, "why": "made up", "ended": attempts.now()})
        return made

    def promoted(self, pairs: Pairs | None = None) -> Version:
        """End an attempt and promote its version, as `rfmeta retrain` does."""
        made = self.attempt(pairs, "promoted")
        version = registering.register(self.config, made)
        registering.promote(self.config, made, version, {"why": "a test"})
        return version
