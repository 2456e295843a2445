"""Describe the version that an attempt has made, register it, and check what a version says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RfmetaError, RunError
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.registry import PACKAGE, Registry, Version
from rfmeta_dist.storage.api import Store
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import open_store

NAME = "version.json"  # in the folder of an attempt
VERDICT, SCORES = "verdict.json", "scores.parquet"


def describe(attempt: Store, package: str, tags: Mapping[str, str]) -> None:
    """Write down what of an attempt is to be registered, so that anybody who may can register it later.

    Args:
        attempt: the attempt's folder.
        package: place of its deployment package.
        tags: tags of the version, except `audit`.

    Raises:
        StorageError: the object cannot be written.
    """
    attempt.write(NAME, json.dumps({"package": package, "tags": dict(tags)}, indent=1).encode())


def register(registry: Registry, store: Store, attempt: Store) -> Version:
    """Register what an attempt has described, with the head of the audit log. It is registered once only.

    Args:
        registry: the registry.
        store: its folder.
        attempt: the attempt's folder.

    Raises:
        RunError: the attempt has described nothing.
        StorageError: something cannot be read or written.
    """
    try:
        described = json.loads(attempt.read(NAME))
        package, tags = str(described["package"]), dict(described["tags"])
    except MissingError:
        raise RunError(
            f"the attempt {attempt.url} has no package that could be registered",
            "list the versions and the attempts that wait for approval: rfmeta models ls RETRAIN.yaml",
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{attempt.url}/{NAME} is damaged: it is not what rfmeta writes there", "start rfmeta retrain again"
        ) from error
    return registry.register(package, {**tags, "audit": Log(store).head()})


def verdict_of(version: Version) -> dict[str, Any] | None:
    """Return the verdict of the attempt that made a version, after checking its hash. None if it had none.

    A version that was registered by hand, or the first champion, has no verdict.

    Raises:
        RunError: the verdict was edited, or is missing.
        StorageError: it cannot be read.
    """
    if not version.tags.get("verdict"):
        return None
    verdict: dict[str, Any] = json.loads(_kept(version, VERDICT, "verdict"))
    return verdict


def scores_of(version: Version) -> bytes:
    """Return the scores.parquet that a verdict was computed from, after checking its hash; errors as above."""
    return _kept(version, SCORES, "scores")


def package_problem(version: Version) -> str | None:
    """Return what is wrong with the deployment package of a version, in words; None if nothing is."""
    try:
        found = deployment.read(open_store(version.package)).sha256
    except RfmetaError as error:
        return error.problem
    if found != version.tags.get(PACKAGE):
        return f"the package at {version.package} is another one than the one that was registered"
    return None


def _kept(version: Version, name: str, tag: str) -> bytes:
    attempt = open_store(version.tags["attempt"])
    remedy = "restore the object from a backup, or start rfmeta retrain again"
    try:
        data = attempt.read(name)
    except MissingError:
        raise RunError(f"{attempt.url}/{name} of version {version.number} is missing", remedy) from None
    if digest(data) != version.tags.get(tag):
        raise RunError(f"{attempt.url}/{name} was edited after version {version.number} was made", remedy)
    return data
