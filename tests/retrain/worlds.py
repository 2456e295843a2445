"""Make small domains and retrainings for tests: pictures of noise, few people, attempts without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.types import Sample, Split
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.retrain import attempts, watch
from rfmeta_dist.retrain.attempts import Asked, Attempt
from rfmeta_dist.retrain.known import Known
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

SIZES: Mapping[Split, tuple[int, int]] = {"train": (6, 6), "validation": (6, 6), "test": (6, 6)}


def samples_of(domain: str, seed: int = 0) -> list[Sample]:
    """Return 36 samples of 12 videos of a domain: in each split two live ones, a print and a replay."""
    found = make_samples(domain, SIZES, seed)
    return [s if s.label else replace(s, attack_type=("print", "replay")[int(s.video[-1]) % 2]) for s in found]


def publish(place: Path, domain: str, samples: Sequence[Sample] | None = None) -> Manifest:
    """Publish a domain with these samples, or with those of `samples_of`."""
    found = samples_of(domain) if samples is None else samples
    return pack(found, open_store(str(place)), domain, contract={})


def retraining(tmp_path: Path, **fields: Any) -> Retraining:
    """Return a retraining of the domains A and B under `tmp_path/shards`."""
    base = {
        "run": {"name": "base", "folder": str(tmp_path / "runs")},
        "data": {"prefix": str(tmp_path / "shards"), "sources": ["A", "B"], "image_size": 32, "batch": 4},
        "model": {"width": 0.05},
        "training": {"steps": 3, "workers": 1, "strategy": "single"},
    }
    given = {"name": "shop", "folder": str(tmp_path / "retrain"), "base": base, **fields}
    return Retraining.model_validate(given)


def attempt_of(config: Retraining, manifests: Sequence[Manifest], number: int = 1, **fields: Any) -> Attempt:
    """Begin an attempt on some states, with today's code and the configuration of `config`."""
    asked = Asked(
        **{
            "number": number,
            "reasons": ("a test",),
            "pins": {manifest.domain: manifest.fingerprint for manifest in manifests},
            "code": watch.starts.code(),
            "configuration": watch.digest_of(config),
            "champion": None,
            "forced": 0,
            "seed": 0,
            "batches": {},
            "new_batches": {},
            "started": attempts.now(),
            **fields,
        }
    )
    return attempts.begin(open_store(config.place), asked, Known.of(manifests))


def ended(outcome: str) -> dict[str, Any]:
    """Return what became of an attempt."""
    return {"outcome": outcome, "why": "a test", "ended": attempts.now()}
