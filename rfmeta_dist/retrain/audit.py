"""Keep the audit log: an object for each event, which is created once and holds the hash of the one before it.

audit/000001.json    {"number", "kind", "time", "facts", "closes", "previous", "sha256"}

`sha256` is the event's own hash (core/digests.py), and `previous` that of the event before it, empty for the
first one. So an event that is edited, deleted or moved breaks the chain. The log alone cannot show that its
last events were deleted. Therefore the hash of the last event, the head, is also stored in other places, and
`check` compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import UTC, datetime
from typing import Any

from rfmeta_dist.core.digests import OWN, digest_holds, with_digest
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.storage.api import Store
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent

_FOLDER = "audit"
_RESTORE = (
    "find out who can write there; restore the log from a backup or from older versions of the bucket, and "
    "promote nothing until then"
)


@dataclass(frozen=True)
class Event:
    """One event of the audit log.

    Attributes:
        number: from 1.
        kind: what happened, such as `decided`.
        time: when it was entered, in ISO 8601, UTC, by the clock of the machine that entered it.
        facts: what else is known of it, as JSON values.
        closes: number of the event that this one completes; None if it stands alone. Only one event can close
            another one.
        previous: `sha256` of the event before it; empty for the first one.
        sha256: SHA-256 of all other fields.
    """

    number: int
    kind: str
    time: str
    facts: Mapping[str, Any]
    closes: int | None
    previous: str
    sha256: str


_FIELDS = {field.name for field in fields_of(Event)}


class Log:
    """The audit log of one registry.

    Args:
        store: the registry's folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def events(self) -> list[Event]:
        """Return all events in order, after checking the chain.

        Raises:
            VerificationError: an event was edited, deleted or moved; the error names it.
            StorageError: the log cannot be read.
        """
        names = self._store.list(_FOLDER)
        found: list[Event] = []
        for number, name in enumerate(names, 1):
            if name != _name(number):
                raise self._broken(_name(number), "is missing: it was deleted or renamed")
            found.append(self._read(number))
            if found[-1].previous != (found[-2].sha256 if number > 1 else ""):
                before = f"{_name(number - 1)} was replaced" if number > 1 else "events before it were deleted"
                raise self._broken(name, f"does not follow the event before it: it was moved, or {before}")
        return found

    def head(self) -> str:
        """Return the hash of the last event; empty if there is none. Only the last event is checked.

        Raises:
            VerificationError: the last event was edited.
            StorageError: the log cannot be read.
        """
        last = self._last()
        return last.sha256 if last else ""

    def check(self, head: str) -> list[Event]:
        """Return all events, after checking the chain and that it holds an event with this hash.

        An empty `head` is held by every log.

        Raises:
            VerificationError: the chain is broken, or the event was deleted together with all later ones.
        """
        events = self.events()
        if head and all(event.sha256 != head for event in events):
            raise self._broken(
                _name(len(events) + 1),
                f"or an event after it is missing: the event {head[:12]}… was entered, but the log "
                f"ends with event {len(events)}",
            )
        return events

    def append(self, kind: str, facts: Mapping[str, Any], closes: Event | None = None) -> Event:
        """Enter an event and return it. If several processes enter events, each event gets its own number.

        Args:
            kind: what happened.
            facts: values that are the same after they were written to JSON and read again.
            closes: the event that this one completes. If an event completes it already, nothing is entered, and
                that event is returned.

        Raises:
            VerificationError: the last event was edited.
            StorageError: the log cannot be written.
        """
        require_put_if_absent(self._store)
        while True:
            last = self._last()
            number = last.number + 1 if last else 1
            if closes and (done := self._closing(closes, number)):
                return done
            fields = with_digest(
                {
                    "number": number,
                    "kind": kind,
                    "time": datetime.now(UTC).isoformat(timespec="seconds"),
                    "facts": dict(facts),
                    "closes": closes.number if closes else None,
                    "previous": last.sha256 if last else "",
                }
            )
            with suppress(AlreadyExistsError):  # another process was quicker: look at the log again
                self._store.create(_name(number), json.dumps(fields, indent=1).encode())
                return Event(**fields)

    def _closing(self, opened: Event, end: int) -> Event | None:
        """Return the event before number `end` that closes another one."""
        later = map(self._read, range(opened.number + 1, end))
        return next((event for event in later if event.closes == opened.number), None)

    def _last(self) -> Event | None:
        names = self._store.list(_FOLDER)
        if not names:
            return None
        digits = names[-1].removeprefix(f"{_FOLDER}/").removesuffix(".json")
        if not digits.isdecimal():
            raise self._broken(names[-1], "is no event of rfmeta")
        return self._read(int(digits))

    def _read(self, number: int) -> Event:
        name = _name(number)
        try:
            fields = json.loads(self._store.read(name))
        except MissingError:
            raise self._broken(name, "is missing: it was deleted or renamed") from None
        except ValueError as error:
            raise self._broken(name, f"was edited: it is not JSON ({error})") from error
        whole = isinstance(fields, dict) and fields.keys() == _FIELDS and digest_holds(fields)
        if not whole or fields["number"] != number:
            raise self._broken(name, f"was edited or moved: it does not match its hash ({OWN}) or its number")
        return Event(**fields)

    def _broken(self, name: str, why: str) -> VerificationError:
        return VerificationError(f"the audit log is not intact: {self._store.url}/{name} {why}", _RESTORE)


def _name(number: int) -> str:
    return f"{_FOLDER}/{number:06}.json"
