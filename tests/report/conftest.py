"""Make the files of a finished run in memory."""

import io
import json

import numpy as np
import pytest

from rfmeta_dist.evaluation import examples, figures
from rfmeta_dist.evaluation.scores import Scores

CONFIG = """\
run: {name: demo}
data: {prefix: "s3://shards/demo", sources: [O, C, I], target: M, batch: 20}
model: {width: 16}
method: {name: rfmeta, inner_lr: 0.001, depth_weight: 10.0}
training: {steps: 120, lr: 0.001, seed: 0}
evaluation: {recalibrate: true}
"""
LOGIT = {"live": 1.5, "print": -1.4, "replay": -0.6}


def made_up_scores(domains: str, split: str, shift: float, subjects=8, frames=4) -> Scores:
    rng = np.random.default_rng([ord(c) for c in domains])
    rows = []
    for domain in domains:
        for s in range(subjects):
            who = rng.normal(shift, 0.8)
            for kind, centre in LOGIT.items():
                for frame in range(frames):
                    video = f"s{s:02d}-{kind}"
                    score = 1 / (1 + np.exp(-centre - who - rng.normal(0, 0.6)))
                    key, person = f"{domain}-{video}-{frame}", f"{domain}/s{s:02d}"
                    label = int(kind == "live")
                    rows.append((key, domain, split, person, video, kind, label, score))
    return Scores(*map(np.array, zip(*rows, strict=True)))


@pytest.fixture(scope="session")
def scores_of():
    """Return the function that makes up scores of frames."""
    return made_up_scores


def jpeg(seed: int) -> bytes:
    from PIL import Image

    noise = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).resize((64, 64)).save(sink, "jpeg")
    return sink.getvalue()


def training_rows(steps: int = 120) -> list[dict]:
    rng = np.random.default_rng(0)
    rows = []
    for step in range(steps):
        fall = np.exp(-step / 60) + 0.1
        parts = {
            "cls_meta_train": 1.4 * fall,
            "dep_meta_train": 0.2 * fall,
            "cls_meta_test": 1.6 * fall,
            "dep_meta_test": 0.1 * fall,
        }
        parts = {name: value * rng.lognormal(0, 0.3) for name, value in parts.items()}
        speed = {"images_per_second": rng.normal(80, 3), "seconds": 0.75}
        meta_test = "OCI"[rng.integers(3)]
        rows.append({"step": step, "meta_test": meta_test, "loss": sum(parts.values()), **parts, **speed})
    return rows


STREAM = {"bytes_read": 7_340_032, "shards_read": 41, "cache_hits": 3, "retries": 2, "samples": 2400}


def ledger_rows() -> list[dict]:
    def read(minute, purpose, domain, split, samples, sealed=False):
        return {
            "time": f"2025-11-23T20:{minute:02d}:00+00:00",
            "purpose": purpose,
            "domain": domain,
            "split": split,
            "samples": samples,
            "manifest": f"{ord(domain):02x}" * 32,
            "sealed": sealed,
        }

    training = [read(i, "training", d, "train", 800) for i, d in enumerate("OCI")]
    threshold = [read(30 + i, "threshold", d, "validation", 96) for i, d in enumerate("OCI")]
    return [*training, *threshold, read(45, "evaluation", "M", "test", 96, sealed=True)]


def jsonl(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture(scope="session")
def evaluation() -> dict:
    validation = made_up_scores("OCI", "validation", 0)
    target = made_up_scores("M", "test", 0.8)
    return {
        "target": "M",
        "sources": ["O", "C", "I"],
        "method": "rfmeta",
        "seed": 0,
        "step": 120,
        "recalibration": "batch-norm statistics pooled over 60 training batches of O, C, I",
        "figures": figures.compute(validation, target, seed=0, resamples=200),
    }


@pytest.fixture(scope="session")
def run_files(evaluation) -> dict[str, bytes]:
    validation = made_up_scores("OCI", "validation", 0)
    target = made_up_scores("M", "test", 0.8)
    joined = {k: np.concatenate([v, target.columns()[k]]) for k, v in validation.columns().items()}
    picked = examples.pick(target, evaluation["figures"]["frame"]["threshold"]["value"])
    images = {key: jpeg(i) for i, key in enumerate(target.key.tolist())}
    return {
        "config.yaml": CONFIG.encode(),
        "metrics.jsonl": jsonl(training_rows()),
        "streams.json": json.dumps(dict.fromkeys("OCI", STREAM)).encode(),
        "ledger.jsonl": jsonl(ledger_rows()),
        "evaluation.json": json.dumps(evaluation).encode(),
        "scores.parquet": Scores(**joined).to_parquet(),
        "examples.parquet": examples.to_parquet(picked, images),
    }


@pytest.fixture
def files(run_files) -> dict[str, bytes]:
    """Return a copy that a test may change."""
    return dict(run_files)
