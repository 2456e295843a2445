"""Keep what the last look of a retraining decided, in one small object that each look replaces.

look.json    time, decision, reasons, notes, champion, new videos, and the place of the registry

A look that finds no reason to train leaves nothing else in the store, and the process ends within seconds. So
without this object nobody could see that the nightly look has stopped.
"""

from __future__ import annotations

from typing import Any

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.retrain.attempts import as_json, now
from rfmeta_dist.retrain.watch import Decision, Seen
from rfmeta_dist.storage.store import open_store

LOOK = "look.json"


def keep(config: Retraining, seen: Seen, decision: Decision) -> None:
    """Write what a look has seen and decided.

    Args:
        config: the retraining.
        seen: what it was decided from.
        decision: what was decided.

    Raises:
        StorageError: the retraining's folder cannot be written.
    """
    new = decision.new
    found: dict[str, Any] = {
        "time": now(),
        "decision": decision.act,
        "reasons": list(decision.reasons),
        "notes": list(decision.notes),
        "champion": None if seen.champion is None else seen.champion["number"],
        "new_videos": None if new is None else new.videos,
        "unreviewed_videos": None if new is None else sum(new.waiting.values()),
        "registry": config.registry_place,
    }
    open_store(config.place).write(LOOK, as_json(found))
