"""Compute the figures of a retraining: its last look, its attempts, what waits for a person, its champion."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.monitoring.holders import Holders
from rfmeta_dist.monitoring.runs import seconds
from rfmeta_dist.monitoring.samples import Sample, one_of
from rfmeta_dist.retrain.approval import APPROVE, compared_with
from rfmeta_dist.retrain.attempts import Attempt, attempts
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.look import LOOK
from rfmeta_dist.retrain.opening import DRIFT
from rfmeta_dist.retrain.promotion import Champion, champion
from rfmeta_dist.retrain.registering import VERDICT
from rfmeta_dist.retrain.verdict import PROMOTED, REFUSED, UNDECIDED
from rfmeta_dist.retrain.watch import ABANDONED, OVERTAKEN, STOPPED
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store, open_store

OUTCOMES = (PROMOTED, REFUSED, UNDECIDED, APPROVE, STOPPED, OVERTAKEN, ABANDONED)
OPEN = "open"
DECISIONS = ("train", "continue", "nothing")


def one(name: str, folder: Store, holders: Holders) -> list[Sample]:
    """Return the figures of a retraining.

    Args:
        name: the retraining's name, its label.
        folder: the retraining's folder.
        holders: the leases that were seen before.

    Raises:
        RunError: a file of an attempt is damaged.
        StorageError: the folder or the registry cannot be read.
    """
    labels = {"retraining": name}
    look = _json(folder, LOOK)
    registry = open_store(str(look.get("registry") or f"{folder.url}/registry"))
    now, found = champion(registry), attempts(folder)
    return [
        *_look(look, labels),
        *_attempts(found, now, labels),
        Sample("rfmeta_retraining_working", float(holders.working(folder)), labels),
        *_drift(_json(folder, DRIFT), labels),
        *_champion(registry, now, labels),
    ]


def _look(look: Mapping[str, Any], labels: dict[str, str]) -> list[Sample]:
    if not look:
        return []
    return [
        Sample("rfmeta_retraining_look_time_seconds", seconds(look["time"]), labels),
        *one_of("rfmeta_retraining_look", look["decision"], DECISIONS, "decision", **labels),
        *(
            Sample(f"rfmeta_retraining_{name}", look[name], labels)
            for name in ("new_videos", "unreviewed_videos")
            if look[name] is not None  # a look that continues an attempt does not count
        ),
    ]


def _attempts(found: Sequence[Attempt], now: Champion | None, labels: dict[str, str]) -> list[Sample]:
    outcomes = [(attempt, attempt.outcome) for attempt in found]
    ended = [(attempt, outcome) for attempt, outcome in outcomes if outcome is not None]
    open_since = [seconds(attempt.asked.started) for attempt, outcome in outcomes if outcome is None]
    waiting = [
        seconds(outcome["ended"])
        for attempt, outcome in ended
        if outcome["outcome"] == APPROVE and compared_with(attempt, now)
    ]
    counted = Counter(str(outcome["outcome"]) for _, outcome in ended) + Counter({OPEN: len(open_since)})
    last = str(ended[-1][1]["outcome"]) if ended else None
    return [
        *(
            Sample("rfmeta_retraining_attempts", counted[kind], {**labels, "outcome": kind})
            for kind in (*OUTCOMES, OPEN)
        ),
        *one_of("rfmeta_retraining_last_outcome", last, OUTCOMES, "outcome", **labels),
        Sample("rfmeta_retraining_open_time_seconds", max(open_since, default=0.0), labels),
        Sample("rfmeta_retraining_approvals", len(waiting), labels),
        Sample("rfmeta_retraining_approval_time_seconds", min(waiting, default=0.0), labels),
    ]


def _drift(drift: Mapping[str, Any], labels: dict[str, str]) -> list[Sample]:
    return [
        Sample("rfmeta_retraining_drift", float(drift.get("verdict") == "drift"), labels),
        Sample(
            "rfmeta_retraining_drift_time_seconds", seconds(drift["time"]) if "time" in drift else 0.0, labels
        ),
    ]


def _champion(registry: Store, now: Champion | None, labels: dict[str, str]) -> list[Sample]:
    since, intact = 0.0, True
    try:
        events = Log(registry).check(now.decided if now else "")
        since = max((seconds(event.time) for event in events if now and event.sha256 == now.decided), default=0)
    except VerificationError:
        intact = False
    samples = [
        Sample("rfmeta_retraining_audit_intact", float(intact), labels),
        Sample("rfmeta_retraining_champion", now.number if now else 0, labels),
        Sample("rfmeta_retraining_champion_time_seconds", since, labels),
    ]
    place = now.tags.get("attempt") if now else None
    verdict = Attempt(open_store(place)).read(VERDICT) if place else None
    for row in (verdict or {"rates": ()})["rates"]:
        if row["part"] == "frozen":
            kind = {**labels, "rate": str(row["rate"]), "type": str(row["type"])}
            samples.append(Sample("rfmeta_retraining_champion_error", row["challenger"], kind))
    return samples


def _json(folder: Store, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(folder.read(name))
    except MissingError:
        return {}
    return found
