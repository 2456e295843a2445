"""Compute the fingerprint that a checkpoint must have to be loaded: one hash of everything that decides the weights.

The hash is taken over the names and defaults that the configuration had when it was first hashed (FIRST), so
that renaming a field, or adding one that stands at its default, leaves every fingerprint as it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rfmeta_dist.config.renamed import RENAMED
from rfmeta_dist.config.schema import Config

# Another number of workers, strategy or machine gives the same result, up to the order of summation.
HARDWARE = (
    "workers",
    "strategy",
    "zero",
    "offload",
    "meta_test",
    "activation_checkpointing",
    "threads",
    "gpus",
    "restarts",
    "wait_s",
)

# The fields that decide the weights, by their first names, with their defaults; `...` where there is none.
FIRST: dict[str, dict[str, Any]] = {
    "data": {"sources": ..., "image_size": 256, "batch": 20, "augmentation": None},
    "model": {"backbone": "paper", "width": 1.0, "batch_norm": "stable", "weights": None},
    "method": {
        "name": "rfmeta",
        "inner_rate": 1e-3,
        "inner_steps": 1,
        "depth_weight": 10.0,
        "meta_test_weight": 1.0,
        "schedule": "uniform",
        "aggregation": "mean",
        "aggregation_batch_norm": "domain",
    },
    "training": {
        "steps": 1000,
        "rate": 1e-3,
        "seed": 0,
        "episodes": 1,
        "clip": None,
        "precision": "fp32",
        "not_finite": "stop",
        "bf16_reduce": False,
    },
}
# The same of a section within a section, where one is given.
FIRST_WITHIN: dict[str, dict[str, Any]] = {
    "data.augmentation": {
        "flip": 0.5,
        "crop": 0.2,
        "brightness": 0.1,
        "contrast": 0.2,
        "saturation": 0.2,
        "cutout": 0.0,
    },
}

# Sections that decide the weights and that the first version lacked; hashed only where a field of theirs is set.
LATER = ("episode",)

# Fields that never decide the weights: where data and results are, whom they are judged on, what runs them.
LEFT_OUT = {"data": ("prefix", "target", "cache_gb"), "training": (*HARDWARE, "checkpoint_every")}

# The first version's name of each field that has been renamed since.
FIRST_NAMES = {f"{former.split('.')[0]}.{name}": former.split(".")[1] for former, name in RENAMED.items()}


def fingerprint(config: Config, manifests: Mapping[str, str]) -> str:
    """Hash what decides the weights.

    Args:
        config: the run's.
        manifests: fingerprint of the manifest of each source domain, by domain.

    Returns:
        SHA-256 in hex.
    """
    return _hash(_decides(config), manifests)


def first_fingerprint(config: Config, manifests: Mapping[str, str]) -> str:
    """Hash as the first version did, which took prefix and target for part of what decides the weights.

    Checkpoints made by that version carry this hash.
    """
    decides = _decides(config)
    decides["data"] |= {"prefix": config.data.prefix, "target": config.data.target}
    return _hash(decides, manifests)


def _hash(decides: dict[str, Any], manifests: Mapping[str, str]) -> str:
    whole = json.dumps([decides, dict(sorted(manifests.items()))], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _decides(config: Config) -> dict[str, Any]:
    decides = {}
    for name, first in FIRST.items():
        decides[name] = {**first, **_changed(getattr(config, name), name)}
    for name in LATER:
        if changed := _changed(getattr(config, name), name):
            decides[name] = changed
    return decides


def _changed(section: BaseModel, where: str) -> dict[str, Any]:
    """Return the fields of a section that differ from their defaults, or have none, by their first names.

    A field of today that the first version lacked is thus hashed only where somebody has set it.
    """
    dumped = section.model_dump(mode="json")
    changed = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if name in LEFT_OUT.get(where, ()):
            continue
        if field.is_required() or value != field.get_default(call_default_factory=True):
            first_name = FIRST_NAMES.get(f"{where}.{name}", name)
            within = f"{where}.{first_name}"
            changed[first_name] = (
                {**FIRST_WITHIN[within], **_changed(value, within)}
                if isinstance(value, BaseModel)
                else dumped[name]
            )
    return changed
