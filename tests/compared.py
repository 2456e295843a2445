"""Folders of judged runs with made-up scores, to compare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml

from rfmeta_dist.config.renamed import renamed
from rfmeta_dist.evaluation import figures
from rfmeta_dist.evaluation.scores import Scores
from tests.stored import BEFORE

DOMAINS = "OCIM"
KINDS = {"live": 1.2, "print": -1.2, "replay": -0.8}


def scores(domain: str, split: str, quality: float, seed: int, people: int = 25, **changed: object) -> Scores:
    """Scores of two frames of each recording. People's own deviations are the same for all runs on a domain."""
    luck = np.random.default_rng(ord(domain)).normal(0, 0.6, people)
    rng = np.random.default_rng([ord(domain), seed, int(1000 * quality)])
    rows = []
    for person in range(people):
        for kind, centre in KINDS.items():
            logit = quality * centre + luck[person] + rng.normal(0, 0.6)
            for frame in range(2):
                video = f"p{person:02d}-{kind}"
                score = 1 / (1 + np.exp(-logit - rng.normal(0, 0.2)))
                who = f"{domain}/p{person:02d}"
                rows.append(
                    (f"{domain}-{video}-{frame}", domain, split, who, video, kind, kind == "live", score)
                )
    columns = Scores(*map(np.array, zip(*rows, strict=True))).columns()
    return Scores(**{**columns, **changed})


def write_run(
    place: Path,
    method: str = "rfmeta",
    target: str = "M",
    seed: int = 0,
    quality: float = 1.0,
    *,
    manifest: str = "a" * 64,
    judged: Scores | None = None,
    sources: str | None = None,
    fields: dict[str, object] | None = None,
) -> Path:
    """Write the files of a judged run that a comparison reads, and return its folder."""
    sources = sources or "".join(d for d in DOMAINS if d != target)
    config = renamed(yaml.safe_load((BEFORE / "runs/finished/config.yaml").read_text()), "run")
    config["run"] |= {"name": place.name, "folder": str(place.parent)}
    config["data"] |= {"sources": list(sources), "target": target}
    config["method"] = config["method"] if method == "rfmeta" else {"name": method}
    config["training"]["seed"] = seed
    for name, value in (fields or {}).items():
        section, _, field = name.partition(".")
        config[section][field] = value
    parts = [scores(name, "validation", quality, seed, people=8) for name in sources]
    validation = Scores(**{k: np.concatenate([p.columns()[k] for p in parts]) for k in parts[0].columns()})
    test = scores(target, "test", quality, seed) if judged is None else judged
    evaluation = {
        "target": target,
        "target_split": "all",
        "sources": list(sources),
        "method": method,
        "seed": seed,
        "step": 24,
        "recalibration": "none",
        "figures": figures.compute(validation, test, seed=0, resamples=20),
    }
    both = {k: np.concatenate([v, test.columns()[k]]) for k, v in validation.columns().items()}
    read = {"time": "2026-11-28T23:41:04+00:00", "purpose": "evaluation", "domain": target, "split": "all"}
    place.mkdir(parents=True)
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    (place / "evaluation.json").write_text(json.dumps(evaluation))
    (place / "scores.parquet").write_bytes(Scores(**both).to_parquet())
    line = json.dumps(read | {"samples": len(test), "manifest": manifest, "sealed": True})
    (place / "ledger.jsonl").write_text(line + "\n")
    return place
