"""A rollback goes to the champion before; what it leaves is quarantined until a person promotes it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import RunError, VerificationError
from rfmeta_dist.retrain.promotion import repair
from rfmeta_dist.retrain.quarantine import quarantined, rollback
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage.store import open_store
from tests.retrain.conftest import Case
from tests.retrain.processes import KILLED, Countdown, Deadly, ended, forked


def test_a_rollback_quarantines_what_the_earlier_version_lacks(case: Case) -> None:
    case.promote(2)
    case.promote(3)
    assert quarantined(case.store).identities == quarantined(case.store).batches == frozenset()
    event = rollback(case.registry, case.store, reason="masks pass")
    case.is_whole(2)
    assert (event.kind, event.facts["reason"], event.facts["from"]) == ("rollback", "masks pass", 3)
    assert quarantined(case.store).identities == {"i3"}
    assert quarantined(case.store).batches == {("I", "x")}

    rollback(case.registry, case.store, reason="still")  # not to version 3, which was left
    case.is_whole(1)
    assert quarantined(case.store).identities == {"i2", "i3"}
    assert quarantined(case.store).batches == {("I", "x"), ("C", "mask")}
    with pytest.raises(RunError, match="no version was champion before version 1"):
        rollback(case.registry, case.store, reason="more")
    with pytest.raises(RunError, match="version 3 is quarantined, because it was rolled back before"):
        rollback(case.registry, case.store, 3, reason="more")
    with pytest.raises(RunError, match="version 1 is the champion already"):
        rollback(case.registry, case.store, 1, reason="more")

    case.promote(3, anyway=True)  # a person has looked at it
    assert quarantined(case.store).identities == {"i2"}
    assert quarantined(case.store).batches == frozenset()
    rollback(case.registry, case.store, 1, reason="far back")
    case.is_whole(1)
    assert quarantined(case.store).batches == {("I", "x"), ("C", "mask")}


def test_a_rollback_that_was_killed_is_completed(case: Case) -> None:
    case.promote(2)
    countdown = Countdown(1, after=True)
    store, registry = Deadly(case.store, countdown), Deadly(case.registry, countdown)

    def killed() -> None:
        rollback(registry, store, reason="masks pass")

    assert ended(forked(killed)) == KILLED
    assert quarantined(case.store).identities == {"i2"}
    assert len(repair(case.registry, case.store)) == 1
    case.is_whole(1)


def test_without_a_champion_nothing_is_rolled_back(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    with pytest.raises(RunError, match="there is no champion"):
        rollback(StoreRegistry(store), store, reason="x")


def test_deleted_last_events_are_found_by_what_promotes_and_what_rolls_back(case: Case) -> None:
    case.promote(2)
    for event in (4, 3):
        (case.folder / f"audit/{event:06}.json").unlink()
    for act in (lambda: case.promote(2), lambda: rollback(case.registry, case.store, reason="masks pass")):
        with pytest.raises(VerificationError, match="but the log ends with event 2"):
            act()


def test_the_alias_may_be_moved_by_hand_to_a_version_that_was_registered_by_hand(case: Case) -> None:
    number = case.registry.register("by/hand", {"package": "x"}).number
    (case.folder / f"versions/{number:06}.json").write_text(
        json.dumps({"number": number, "package": "by/hand", "tags": {}})
    )
    case.registry.set_alias("champion", number)
    assert "moved by hand" in repair(case.registry, case.store)[0]
    assert case.champion.number == number
    rollback(case.registry, case.store, reason="not judged")
    case.is_whole(1)
