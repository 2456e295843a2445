"""Compute the fingerprint of a run: a hash of everything that the trained weights depend on.

A checkpoint is loaded only if it has the run's fingerprint. The hash uses the field names and defaults of the
first version (FIRST), so it does not change when a field is renamed, or is added and left at its default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rfmeta_dist.config.left_out import LEFT_OUT
from rfmeta_dist.config.renamed import RENAMED
from rfmeta_dist.config.schema import Config

# The fields that the weights depend on, by their first names, with their defaults; `...` if there is none.
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
# The same for a section within a section, which is hashed only if it is given.
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

# Sections that the weights depend on but the first version lacked. Hashed only if one of their fields is set.
LATER = ("episode",)

# Each field that has been renamed since the first version → its first name.
FIRST_NAMES = {f"{former.split('.')[0]}.{name}": former.split(".")[1] for former, name in RENAMED.items()}


def fingerprint(config: Config, manifests: Mapping[str, str], start: str | None = None) -> str:
    """Return the hash of everything that the weights depend on.

    Args:
        config: the run's.
        manifests: fingerprint of the manifest of each source domain, by domain.
        start: SHA-256 of the package.json of the model at `training.start`; None if that is not set. The hash
            depends on this content, not on the place.

    Returns:
        SHA-256 as hexadecimal text.

    Raises:
        ValueError: only one of `training.start` and `start` is given.
    """
    if (start is None) != (config.training.start is None):
        raise ValueError(f"training.start={config.training.start}, but the hash of its content is {start}")
    decides = _decides(config)
    if start is not None:
        decides["training"]["start"] = start
    return _hash(decides, manifests)


def first_fingerprint(config: Config, manifests: Mapping[str, str]) -> str:
    """Return the hash that the first version computed, which also covers data.prefix and data.target.

    Checkpoints that were made by the first version have this hash.
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
    """Return the fields of a section that differ from their defaults or have no default, by their first names.

    So a field that the first version lacked is hashed only if it is set.
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
