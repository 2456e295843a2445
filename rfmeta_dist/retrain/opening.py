"""Read what `rfmeta retrain` decides from: the champion, the quarantine, and drift of production scores."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.retrain import watch
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import champion, repair
from rfmeta_dist.retrain.quarantine import quarantined
from rfmeta_dist.retrain.registries import open_registry
from rfmeta_dist.retrain.watch import Seen
from rfmeta_dist.storage.errors import AccessError
from rfmeta_dist.storage.store import open_store


def repaired(config: Retraining) -> list[str]:
    """Complete a half-done promotion and take over an alias that was moved by hand; return what was done, in words.

    Without the right to write to the registry, which `promotion: approve` does without, nothing is repaired.

    Raises:
        RfmetaError: see `promotion.repair`.
    """
    with suppress(AccessError):
        return repair(open_registry(config), open_store(config.registry_place))
    return []


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
    drifted = drift["sentence"] if drift and drift["drifted"] else ""
    return watch.see(config, facts, names, drifted)
