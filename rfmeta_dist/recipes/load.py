"""Load a model package from storage. The kind of its detector decides which loader is used."""

from __future__ import annotations

import importlib

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.package import Contents, Package
from rfmeta_dist.storage.store import Store

# kind → `module:function`. The function makes a detector from a package's contents and the name of a device.
LOADERS = {
    "gradient": "rfmeta_dist.recipes.gradient:read_detector",
    "features": "rfmeta_dist.recipes.features:read_detector",
}


def load_model(folder: Store, device: str = "cpu") -> Package:
    """Read a model package and make its detector.

    Args:
        folder: folder of the package.
        device: name of the device that the detector computes on, such as `cpu`, `cuda` or `cuda:1`.

    Raises:
        RunError: there is no package, it is damaged, or this version does not know its format or kind.
    """
    return made(package.read(folder), device)


def made(found: Contents, device: str = "cpu") -> Package:
    """Make the detector of a model package that was read; arguments and errors are those of `load_model`."""
    if found.kind not in LOADERS:
        raise RunError(
            f"the model at {found.url} is of kind {found.kind}, but this version of rfmeta_dist can only load "
            f"{', '.join(LOADERS)}",
            "load it with the version of rfmeta_dist that made it",
        )
    module, _, name = LOADERS[found.kind].partition(":")
    detector = getattr(importlib.import_module(module), name)(found, device)
    return Package(detector, found.view, found.thresholds, found.about, found.scorer, found.operating_points)
