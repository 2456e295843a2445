"""Load a model from a package in storage; the kind of its detector selects the loader."""

from __future__ import annotations

import importlib

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.package import Package
from rfmeta_dist.storage.store import Store

# kind → `module:function` that makes a detector of a package's contents and the name of a device.
LOADERS = {"gradient": "rfmeta_dist.recipes.gradient:read_detector"}


def load_model(folder: Store, device: str = "cpu") -> Package:
    """Read a package and make its detector.

    Args:
        folder: the package's.
        device: where the detector computes, `cpu` or `cuda`.

    Raises:
        RunError: there is no package, it is damaged, or of a format or kind that this version does not know.
    """
    found = package.read(folder)
    if found.kind not in LOADERS:
        raise RunError(
            f"the model at {folder.url} is of kind {found.kind}, which this version does not know",
            f"use the version of rfmeta_dist that made it; known here: {', '.join(LOADERS)}",
        )
    module, _, name = LOADERS[found.kind].partition(":")
    detector = getattr(importlib.import_module(module), name)(found, device)
    return Package(detector, found.view, found.thresholds, found.about)
