"""Read what `rfmeta retrain` decides from: the champion, the quarantine, and drift of production scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.retrain import attempts, watch
from rfmeta_dist.retrain.attempts import TESTED, Attempt
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import champion, repair
from rfmeta_dist.retrain.quarantine import quarantined
from rfmeta_dist.retrain.registries import open_registry
from rfmeta_dist.retrain.watch import Seen
from rfmeta_dist.storage.errors import AccessError, MissingError
from rfmeta_dist.storage.store import open_store

DRIFT = "drift.json"  # what the last drift watch found


def repaired(config: Retraining) -> list[str]:
    """Complete a half-done promotion, take over an alias that was moved by hand, and return what was done.

    Without the right to write to the registry, which `promotion: approve` does without, nothing is repaired.

    Raises:
        RfmetaError: see `promotion.repair`.
    """
    with suppress(AccessError):
        return repair(open_registry(config), open_store(config.registry_place))
    return []


def drift_of(config: Retraining, place: str) -> dict[str, Any]:
    """Compare production scores with the champion's scores of its test videos, and return what was found.

    Args:
        config: the retraining.
        place: the prefix of the tables of production scores.

    Raises:
        RunError: there is no champion.
        DataError: the tables cannot be read, or are of another model.
        StorageError: a store cannot be read.
    """
    from rfmeta_dist.deploy import package as deployment
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.retrain.drift import Reference, measure
    from rfmeta_dist.retrain.production import read_production

    now = champion(open_store(config.registry_place))
    if now is None:
        raise RunError(
            "there is no champion, so there are no scores to compare those of production with",
            "train the first one without --scores",
        )
    package = deployment.read(open_store(now.package))
    tested = Scores.from_parquet(Attempt(open_store(now.tags["attempt"])).folder.read(TESTED)).per_video()
    threshold = package.thresholds["video"].value
    reference = Reference.of(tested.label, tested.score, threshold, f"the test videos of version {now.number}")
    usual = _usual(config, now.number)
    found = measure(read_production(open_store(place), package), reference, config.drift, usual).as_dict()
    return {"version": now.number, "time": attempts.now(), **found}


def keep_drift(config: Retraining, found: Mapping[str, Any]) -> None:
    """Keep what the drift watch found: the next one takes the share of attacks in it for the usual one."""
    open_store(config.place).write(DRIFT, attempts.as_json(found))


def _usual(config: Retraining, version: int) -> float | None:
    """Return the share of attacks that the last comparison with this version has fitted; None without one."""
    try:
        before = json.loads(open_store(config.place).read(DRIFT))
        return float(before["fitted"]["attack_share"]) if before["version"] == version else None
    except (MissingError, ValueError, KeyError, TypeError):
        return None  # it only makes the answer clearer


def see(config: Retraining, drift: dict[str, Any] | None = None) -> Seen:
    """Read the champion from promotion.json, the quarantine from the audit log, the domains and the attempts.

    Args:
        config: the retraining.
        drift: what the drift watch found, if it looked.

    Raises:
        VerificationError: the audit log was edited.
        DataError: a domain is missing or damaged.
        StorageError: a store cannot be read.
    """
    store = open_store(config.registry_place)
    now, events = champion(store), Log(store).events()
    aside = quarantined(store, events)
    facts = None
    if now is not None:
        since = next(event.time for event in events if event.sha256 == now.decided)
        facts = {"number": now.number, "attempt": now.tags["attempt"], "since": since, "decided": now.decided}
    names = {f"{domain}/{batch}" for domain, batch in aside.batches}
    drifted = "production scores have drifted" if drift and drift["verdict"] == "drift" else ""
    return watch.see(config, facts, names, drifted)
