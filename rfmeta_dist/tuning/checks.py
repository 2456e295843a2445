"""Check before a search that the data and the weights are there that its candidates need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.space import apply, extremes, needed
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.tuning import folds
from rfmeta_dist.tuning.plan import Plan

SIZES = {"data.image_size", "data.view", "data.patch_grid"}  # fields for which crops may be too small


def manifests(plan: Plan, pinned: Mapping[str, str]) -> dict[str, str]:
    """Check the domains that a study reads, and return the fingerprint of the manifest of each.

    Args:
        plan: the study's plan.
        pinned: fingerprints of the manifests that it is pinned to, by domain; the newest for others.

    Raises:
        DataError: a domain cannot be used, or it lacks what a candidate reads.
        StorageError: the prefix cannot be read.
    """
    data = plan.study.base.data.model_copy(update={"sources": tuple(plan.domains_read), "target": None})
    base = plan.study.base.model_copy(update={"data": data})
    found = {name: manifest.fingerprint for name, manifest in domains.open_sources(base, pinned).items()}
    _require_readable(base, plan.study.space, pinned)
    if plan.study.selection == "nested":
        for name in plan.domains_read:
            domains.open_target(folds.with_target(base, name), pinned)  # each of them is judged on too
    return found


def _require_readable(base: Config, space: Mapping[str, Distribution], pinned: Mapping[str, str]) -> None:
    """Check that the data has what every candidate reads of it, such as crops as large as `data.image_size`."""
    for name in SIZES & space.keys():
        for value in extremes(name, space[name]):
            try:
                domains.open_sources(apply(base, {**needed(space, name), name: value}), pinned)
            except DataError as error:
                raise DataError(
                    f"space.{name}: with the value {value}, {error.problem}", f"remove it from space.{name}"
                ) from error


def weights(base: Config) -> str:
    """Return the hash of the base's file of pretrained weights; empty if it has none.

    Raises:
        ConfigError: the file is not on this machine.
    """
    if not base.model.weights:
        return ""
    if not Path(base.model.weights).is_file():
        raise ConfigError(
            f"base.model.weights: there is no file {base.model.weights} on this machine, so a change of it "
            "could not be noticed",
            "copy the file here too, or set base.model.weights to a file on a disk that all machines share",
        )
    return digest(Path(base.model.weights).read_bytes())
