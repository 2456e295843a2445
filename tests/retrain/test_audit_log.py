"""Each event gets its place in the chain, and an event that is edited, deleted or moved is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rfmeta_dist.core.digests import with_digest
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.storage.embedded import EmbeddedS3
from rfmeta_dist.storage.store import open_store
from tests.retrain.processes import ended, forked


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """A log with five events."""
    made = Log(open_store(str(tmp_path)))
    for number in range(5):
        made.append("looked", {"videos": number, "text": "Grüße"})
    return made


def test_events_are_chained(log: Log) -> None:
    events = log.events()
    assert [event.number for event in events] == [1, 2, 3, 4, 5]
    assert [event.facts["videos"] for event in events] == [0, 1, 2, 3, 4]
    assert [event.previous for event in events] == ["", *(event.sha256 for event in events[:-1])]
    assert log.head() == events[-1].sha256
    assert events[0].time.endswith("+00:00")
    for event in events:
        log.check(event.sha256)
    log.check("")


def test_an_empty_log_has_no_head(tmp_path: Path) -> None:
    log = Log(open_store(str(tmp_path)))
    assert (log.head(), log.events()) == ("", [])
    log.check("")
    with pytest.raises(VerificationError, match="the log ends with event 0"):
        log.check("ab" * 32)


def edited(path: Path, *, signed: bool) -> None:
    """Change a fact of an event, and its hash too if the forger knows how."""
    fields: dict[str, Any] = json.loads(path.read_text())
    fields["facts"]["videos"] = 99
    if signed:
        fields = with_digest({name: value for name, value in fields.items() if name != "sha256"})
    path.write_text(json.dumps(fields))


def at(folder: Path, number: int) -> Path:
    return folder / f"audit/{number:06}.json"


def swapped(folder: Path) -> None:
    a, b = at(folder, 2).read_bytes(), at(folder, 3).read_bytes()
    at(folder, 2).write_bytes(b)
    at(folder, 3).write_bytes(a)


TAMPERING = {
    "edited": (lambda f: edited(at(f, 2), signed=False), "000002.json was edited"),
    "edited, with a new hash": (lambda f: edited(at(f, 2), signed=True), "000002.json was replaced"),
    "deleted": (lambda f: at(f, 3).unlink(), "000003.json is missing"),
    "the first ones deleted": (lambda f: at(f, 1).unlink(), "000001.json is missing"),
    "swapped": (swapped, "000002.json was edited or moved"),
    "moved to the end": (lambda f: at(f, 2).rename(at(f, 6)), "000002.json is missing"),
    "no JSON": (lambda f: at(f, 4).write_text("{"), "000004.json was edited: it is not JSON"),
    "no event": (lambda f: at(f, 4).write_text("[]"), "000004.json was edited"),
    "another object": (lambda f: (f / "audit/notes.txt").write_text("x"), "000006.json is missing"),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_tampering_is_noticed_and_named(log: Log, tmp_path: Path, how: str) -> None:
    tamper, named = TAMPERING[how]
    tamper(tmp_path)
    with pytest.raises(VerificationError, match=named):
        log.events()


def test_deleted_last_events_are_noticed_by_the_head_that_is_stored_elsewhere(log: Log, tmp_path: Path) -> None:
    head, before = log.head(), log.events()[3].sha256
    at(tmp_path, 5).unlink()
    assert len(log.events()) == 4  # the log alone does not show it
    log.check(before)
    with pytest.raises(VerificationError, match=r"000005.json or an event after it is missing"):
        log.check(head)
    log.append("looked", {"videos": 5})  # nor does an event that takes the deleted one's place hide it
    with pytest.raises(VerificationError, match="the log ends with event 5"):
        log.check(head)


def test_only_one_event_closes_another(log: Log) -> None:
    opened = log.append("decided", {})
    done = log.append("done", {"by": 1}, closes=opened)
    assert log.append("abandoned", {"by": 2}, closes=opened) == done
    assert [event.closes for event in log.events()] == [None] * 6 + [6]


@pytest.mark.parametrize("on", ["folder", "s3"])
def test_several_processes_enter_events_at_once(on: str, s3: EmbeddedS3, tmp_path: Path) -> None:
    place = str(tmp_path) if on == "folder" else f"s3://tests/{uuid4().hex}"
    opened = Log(open_store(place)).append("decided", {})

    def enter(who: int) -> None:
        log = Log(open_store(place))
        for number in range(5):
            log.append("looked", {"who": who, "number": number})
        log.append("done", {"who": who}, closes=opened)

    assert [ended(child) for child in [forked(enter, who) for who in range(3)]] == [0, 0, 0]
    events = Log(open_store(place)).events()
    assert len(events) == 1 + 3 * 5 + 1
    looked = [(event.facts["who"], event.facts["number"]) for event in events if event.kind == "looked"]
    assert sorted(looked) == [(who, number) for who in range(3) for number in range(5)]
