"""Register the model of an attempt, and promote it unless there is another champion meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.digests import digest
from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.retrain import attempts, promotion
from rfmeta_dist.retrain.attempts import Attempt
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.challenger import PACKAGE
from rfmeta_dist.retrain.registries import open_registry
from rfmeta_dist.retrain.registry import CHALLENGER, Version
from rfmeta_dist.runs import starts
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import open_store

PAIRS, VERDICT = "scores.parquet", "verdict.json"


def register(config: Retraining, attempt: Attempt) -> Version:
    """Register the package of an attempt as the challenger, unless it is registered already.

    Raises:
        PackageError: a file of the package was changed.
        StorageError: the registry cannot be written.
    """
    registry, store = open_registry(config), open_store(config.registry_place)
    folder, asked = attempt.folder.sub(PACKAGE), attempt.asked
    tags = {
        "package": deployment.read(folder).sha256,
        "attempt": attempt.folder.url,
        "identity": attempt.identity,
        "batches": json.dumps([[domain, name] for domain, names in asked.batches.items() for name in names]),
        "verdict": _digest(attempt, VERDICT),
        "scores": _digest(attempt, PAIRS),
        "samples": attempt.known.digest,
        "code": asked.code,
        "audit": Log(store).head(),
        "created": attempts.now(),
        "trace": ", ".join(starts.traces(attempt.folder)),
    }
    with promotion.allowed(store):
        version = registry.register(folder.url, tags)
        champion = promotion.champion(store)
        if champion is None or champion.number != version.number:
            registry.set_alias(CHALLENGER, version.number)
    return version


def promote(config: Retraining, attempt: Attempt, version: Version, facts: Mapping[str, Any]) -> str:
    """Promote the version of an attempt, and return the head of the audit log.

    Args:
        config: the retraining.
        attempt: the attempt that made the version.
        version: the version.
        facts: what the audit log says of the decision.

    Raises:
        RunError: the champion is another one than the attempt was compared with.
        StorageError: the registry cannot be written.
    """
    store, asked = open_store(config.registry_place), attempt.asked.champion
    now = promotion.champion(store)
    same = (now.decided if now else None) == (asked["decided"] if asked else None)
    expected = now if same or (now and now.number == version.number) else None
    promotion.promote(open_registry(config), store, version, {"attempt": attempt.folder.url, **facts}, expected)
    return Log(store).head()


def _digest(attempt: Attempt, name: str) -> str:
    try:
        return digest(attempt.folder.read(name))
    except MissingError:
        return ""  # the first model was compared with none
