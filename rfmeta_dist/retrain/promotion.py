"""Promote a version to champion, so that a process that is killed in between leaves nothing half done for good.

The order is: the version is registered; the event `decided` (or `rollback`, `moved by hand`) is entered in the
audit log; promotion.json, which holds the champion, is replaced if it is still what the event expected; the
alias `champion` is set; the event `done` is entered. `repair` completes what was begun. Several processes may
complete the same event at once: the conditional write of promotion.json succeeds once, and only one event can
close another one.

promotion.json    {"number", "package", "tags", "decided"}: the champion, and the hash of the event that made it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.retrain.audit import Event, Log
from rfmeta_dist.retrain.registry import CHALLENGER, CHAMPION, PACKAGE, Registry, Version, find
from rfmeta_dist.storage.api import Store
from rfmeta_dist.storage.errors import AccessError, AlreadyExistsError, ChangedError, MissingError

NAME = "promotion.json"
DECIDED, ROLLBACK, BY_HAND = "decided", "rollback", "moved by hand"
OPENING = (DECIDED, ROLLBACK, BY_HAND)
DONE, ABANDONED, RESTORED = "done", "abandoned", "alias restored"


class OvertakenError(RunError):
    """Another version became champion since the decision, so this one was not promoted."""


@dataclass(frozen=True)
class Champion(Version):
    """The version that is champion, as promotion.json says.

    Attributes:
        decided: hash of the audit log's event that made it champion.
        tag: tag of promotion.json in the store, with which it can be replaced.
    """

    number: int
    package: str
    tags: Mapping[str, str]
    decided: str
    tag: str


def champion(store: Store) -> Champion | None:
    """Return the champion as promotion.json says; None if no version was ever promoted. MLflow is not read.

    Args:
        store: the registry's folder.

    Raises:
        StorageError: the object cannot be read, or is damaged.
    """
    try:
        data, tag = store.read_tagged(NAME)
    except MissingError:
        return None
    try:
        return Champion(**json.loads(data), tag=tag)
    except (ValueError, TypeError) as error:
        raise StorageError(
            f"{store.url}/{NAME} is damaged: it is not what rfmeta writes there",
            "restore the object from a backup or an older version of the bucket",
        ) from error


def promote(
    registry: Registry,
    store: Store,
    version: Version,
    facts: Mapping[str, Any],
    expected: Champion | None,
) -> Event:
    """Make a registered version the champion, and return the event that decided it.

    What is half done is repaired before. If the version is the champion already, nothing is entered or written.

    Args:
        registry: where the version is registered.
        store: the registry's folder, for promotion.json and the audit log.
        version: the version.
        facts: what the audit log says of the decision, as JSON values.
        expected: the champion that the decision was made against.

    Raises:
        RunError: there is another champion meanwhile; nothing was changed.
        VerificationError: the audit log was edited.
        StorageError: something cannot be read or written. An AccessError says which right is missing.
    """
    with allowed(store):
        repair(registry, store)
        now = champion(store)
        if now and now.number == version.number:
            return next(event for event in Log(store).events() if event.sha256 == now.decided)
        return begin(registry, store, DECIDED, version, facts, expected)


def begin(
    registry: Registry,
    store: Store,
    kind: str,
    version: Version,
    facts: Mapping[str, Any],
    expected: Champion | None,
) -> Event:
    """Enter an event of this kind, which makes a version the champion, and carry it out; see `promote`."""
    now = champion(store)
    if (now and now.tag) != (expected and expected.tag):
        raise _too_late(store, version.number, now)
    log = Log(store)
    event = log.append(
        kind,
        {
            **facts,
            "number": version.number,
            "package": version.tags[PACKAGE],
            "identity": version.identity,
            "batches": [list(batch) for batch in sorted(version.batches)],
            "from": expected.number if expected else None,
            "before": expected.decided if expected else "",
        },
    )
    try:
        done = _complete(registry, store, log, event)
    except AccessError:
        # Otherwise a repair with other credentials would complete what these ones may not decide.
        log.append(ABANDONED, {"why": "the credentials do not give access"}, closes=event)
        raise
    if not done:
        raise _too_late(store, version.number, champion(store))
    return event


def repair(registry: Registry, store: Store) -> list[str]:
    """Complete what a killed process has begun, and take over an alias that was moved by hand.

    The alias `champion` of the registry is the truth: if it names another version than promotion.json, and
    nothing of ours is half done, then somebody has moved it. That is entered in the audit log, and
    promotion.json is replaced. An alias that was removed is set again, because it names no other champion.

    Args:
        registry: the registry.
        store: its folder.

    Returns:
        What was repaired, in words; [] if there was nothing to do. Nothing is written then.

    Raises:
        RunError: the alias names a version that the registry does not have.
        VerificationError: the audit log was edited.
        StorageError: something cannot be read or written.
    """
    log, said = Log(store), list[str]()
    while True:
        events = log.events()
        if half := unfinished(events):
            said += [_finish(registry, store, log, event) for event in half]
            continue
        now, named = champion(store), registry.alias(CHAMPION)
        if named == (now.number if now else None):
            return said
        # The alias also differs while another process promotes. That process has entered an event before.
        if log.head() == (events[-1].sha256 if events else ""):
            said.append(_follow_the_alias(registry, store, now, named))


def unfinished(events: list[Event]) -> list[Event]:
    """Return the events that make a version the champion and that no event closes."""
    closed = {event.closes for event in events}
    return [event for event in events if event.kind in OPENING and event.number not in closed]


def _finish(registry: Registry, store: Store, log: Log, event: Event) -> str:
    """Complete a half-done promotion, or abandon it if the alias was moved by hand meanwhile."""
    number = event.facts["number"]
    if registry.alias(CHAMPION) not in (number, event.facts["from"], None):
        log.append(ABANDONED, {"why": "the alias was moved by hand"}, closes=event)
        return f"the promotion of version {number} was abandoned, because the alias was moved by hand"
    if _complete(registry, store, log, event):
        return f"the promotion of version {number}, which was begun on {event.time}, was completed"
    return f"the promotion of version {number} was abandoned, because another one was quicker"


def _follow_the_alias(registry: Registry, store: Store, now: Champion | None, named: int | None) -> str:
    """Take over an alias that differs from promotion.json, or set it again if it names no version."""
    if named is None:
        assert now is not None  # otherwise both would name no version
        registry.set_alias(CHAMPION, now.number)
        Log(store).append(RESTORED, {"number": now.number})
        return f"the alias champion named no version, and was set to version {now.number} again"
    was = f"from version {now.number} " if now else ""
    begin(registry, store, BY_HAND, find(registry, named), {"by": "unknown"}, now)
    return f"the alias champion was moved by hand {was}to version {named}; this was entered in the audit log"


def _complete(registry: Registry, store: Store, log: Log, event: Event) -> bool:
    """Carry out an event. Return False if another promotion came before it, and close it as abandoned."""
    if not _swap(registry, store, event):
        closing = log.append(ABANDONED, {"why": "another promotion came before"}, closes=event)
    else:
        _point(registry, store)
        closing = log.append(DONE, {"number": event.facts["number"]}, closes=event)
    return closing.kind == DONE


def _swap(registry: Registry, store: Store, event: Event) -> bool:
    """Replace promotion.json if it is what the event expected. Return True if the event's version is there."""
    while True:
        now = champion(store)
        if now and now.decided == event.sha256:
            return True
        if (now.decided if now else "") != event.facts["before"]:
            return False
        version = find(registry, event.facts["number"])
        fields = {"number": version.number, "package": version.package, "tags": dict(version.tags)}
        data = json.dumps({**fields, "decided": event.sha256}, indent=1).encode()
        try:
            if now is None:
                store.create(NAME, data)
            else:
                store.replace(NAME, data, now.tag)
        except (AlreadyExistsError, ChangedError):
            continue  # another process was quicker: look again


def _point(registry: Registry, store: Store) -> None:
    """Let the alias name the champion of promotion.json.

    An alias cannot be written on a condition. A process that was paused before its write could thus undo a
    later promotion, so it reads promotion.json again afterwards.
    """
    now = champion(store)
    while now is not None:
        if registry.alias(CHAMPION) != now.number:
            registry.set_alias(CHAMPION, now.number)
        if registry.alias(CHALLENGER) == now.number:
            registry.set_alias(CHALLENGER, None)
        before, now = now, champion(store)
        if now is not None and now.tag == before.tag:
            return


@contextmanager
def allowed(store: Store) -> Iterator[None]:
    """Say what right is missing if the store refuses a write."""
    try:
        yield
    except AccessError as error:
        raise AccessError(
            f"these credentials may not promote or roll back: {store.url} cannot be written ({error.problem})",
            "use credentials that may read, list, write and delete there; the cluster's nodes need not",
        ) from error


def _too_late(store: Store, number: int, now: Champion | None) -> OvertakenError:
    there = f"version {now.number}" if now else "no version"
    return OvertakenError(
        f"version {number} was not promoted: the champion in {store.url} is {there} now, not the one that it "
        "was compared with",
        "nothing was changed; the next rfmeta retrain compares with the champion of then",
    )
