"""Roll back to an earlier champion, and keep what was rolled back from being promoted or trained on again."""

from __future__ import annotations

from dataclasses import dataclass

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.retrain.audit import Event, Log
from rfmeta_dist.retrain.promotion import (
    ABANDONED,
    DECIDED,
    DONE,
    OPENING,
    ROLLBACK,
    Champion,
    allowed,
    begin,
    champion,
    repair,
)
from rfmeta_dist.retrain.registry import Batch, Registry, find
from rfmeta_dist.storage.api import Store


@dataclass(frozen=True)
class Quarantine:
    """What rollbacks have put aside.

    Attributes:
        identities: tags `identity` of versions, which stand for (data, code, configuration): never promoted.
        batches: (domain, batch) pairs, which are not trained on.
    """

    identities: frozenset[str]
    batches: frozenset[Batch]


def rollback(registry: Registry, store: Store, to: int | None = None, *, reason: str) -> Event:
    """Make an earlier version the champion again, and quarantine the present one.

    The identity of the present champion is quarantined, and so are the batches that it was trained on and the
    earlier version was not.

    Args:
        registry: the registry.
        store: its folder.
        to: number of the version; if not given, the last champion before that no rollback left.
        reason: why, for the audit log.

    Returns:
        The event that decided it.

    Raises:
        RunError: there is no champion, or no version to go back to; or another promotion came before.
        VerificationError: the audit log was edited.
        StorageError: something cannot be read or written.
    """
    with allowed(store):
        repair(registry, store)
    now = champion(store)
    if now is None:
        raise RunError(f"there is no champion in {store.url}, so nothing can be rolled back", "nothing to do")
    events = Log(store).check(now.decided)
    version = find(registry, _before(events, now) if to is None else to)
    if version.number == now.number:
        raise RunError(f"version {version.number} is the champion already", "give another number with --to")
    if version.identity in quarantined(store, events).identities:
        raise RunError(
            f"version {version.number} is quarantined, because it was rolled back before",
            f"give another number with --to, or rfmeta models promote {version.number} --anyway --reason TEXT",
        )
    put_aside = {
        "identity": now.identity,
        "batches": [list(batch) for batch in sorted(now.batches - version.batches)],
    }
    with allowed(store):
        return begin(registry, store, ROLLBACK, version, {"reason": reason, "quarantine": put_aside}, now)


def quarantined(store: Store, events: list[Event] | None = None) -> Quarantine:
    """Return what is quarantined. A later promotion of a version, which `--anyway` allows, ends its quarantine.

    Args:
        store: the registry's folder.
        events: the audit log, if it was read already.

    Raises:
        VerificationError: the audit log was edited.
        StorageError: it cannot be read.
    """
    events = Log(store).events() if events is None else events
    abandoned = {event.closes for event in events if event.kind == ABANDONED}
    identities: set[str] = set()
    found: set[Batch] = set()
    for event in events:
        if event.number in abandoned:
            continue
        if event.kind == ROLLBACK:
            aside = event.facts["quarantine"]
            identities |= {aside["identity"]} - {""}
            found |= {(domain, batch) for domain, batch in aside["batches"]}
        elif event.kind == DECIDED:
            identities -= {event.facts["identity"]}
            found -= {(domain, batch) for domain, batch in event.facts["batches"]}
    return Quarantine(frozenset(identities), frozenset(found))


def _before(events: list[Event], now: Champion) -> int:
    """Return the number of the last champion before the present one that no rollback left."""
    done = {event.closes for event in events if event.kind == DONE}
    before: list[int] = []  # a version that was promoted again comes last, one that was rolled back not at all
    for event in events:
        if event.kind in OPENING and event.number in done:
            gone = {event.facts["number"], event.facts["from"] if event.kind == ROLLBACK else None}
            before = [*(number for number in before if number not in gone), event.facts["number"]]
    before = [number for number in before if number != now.number]
    if not before:
        raise RunError(
            f"no version was champion before version {now.number}, so there is none to go back to",
            "give the number of a version with --to",
        )
    return before[-1]
