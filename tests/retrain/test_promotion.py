"""A promotion is whole after a kill at any point, and a zombie, a second process or a hand never breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import champion, promote, repair
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage.store import open_store
from tests.retrain.conftest import Case
from tests.retrain.processes import KILLED, Countdown, Deadly, ended, forked


def test_a_promotion_moves_the_champion_and_is_told(case: Case) -> None:
    case.registry.set_alias("challenger", 2)
    case.promote(2, verdict="v", gain=12.5)
    case.is_whole(2)
    assert case.registry.alias("challenger") is None
    assert case.kinds() == ["decided", "done"] * 2
    facts = Log(case.store).events()[2].facts
    assert facts == {
        "verdict": "v",
        "gain": 12.5,
        "number": 2,
        "package": "p2",
        "identity": "i2",
        "batches": [["C", "mask"], ["O", "card"]],
        "from": 1,
        "before": Log(case.store).events()[0].sha256,
    }


def test_what_is_champion_already_is_promoted_once(case: Case) -> None:
    case.promote(1)
    case.is_whole(1)
    assert case.kinds() == ["decided", "done"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(1, 6))
def test_killed_at_any_write_it_is_completed_once(case: Case, write: int, after: bool) -> None:
    """The writes: event, promotion.json, alias champion, alias challenger, event."""
    case.registry.set_alias("challenger", 2)
    before = case.champion
    countdown = Countdown(write, after=after)
    store, registry = Deadly(case.store, countdown), Deadly(case.registry, countdown)
    child = forked(promote, registry, store, case.versions[1], {}, before)
    assert ended(child) == KILLED

    said = repair(case.registry, case.store)
    begun = write > 1 or after
    whole = write == 5 and after
    assert [line.startswith("the promotion of version 2, which was begun on ") for line in said] == (
        [True] if begun and not whole else []
    )
    case.is_whole(2 if begun else 1)
    assert case.kinds() == ["decided", "done", *(["decided", "done"] if begun else [])]
    case.promote(2)  # what a retraining does that is started again
    case.is_whole(2)
    assert case.kinds() == ["decided", "done", "decided", "done"]


def test_the_repair_of_a_killed_promotion_may_be_killed_too(case: Case) -> None:
    for write, after in ((2, False), (1, True), (1, True)):  # after the event, promotion.json and the alias
        countdown = Countdown(write, after=after)
        store, registry = Deadly(case.store, countdown), Deadly(case.registry, countdown)
        if "decided" not in case.kinds()[2:]:
            child = forked(promote, registry, store, case.versions[1], {}, case.champion)
        else:
            child = forked(repair, registry, store)
        assert ended(child) == KILLED
    assert len(repair(case.registry, case.store)) == 1
    case.is_whole(2)
    assert case.kinds() == ["decided", "done"] * 2


def test_a_zombie_never_reaches_the_alias(case: Case) -> None:
    stale = case.champion
    case.promote(2)
    with pytest.raises(RunError, match=r"version 3 was not promoted: the champion in .* is version 2 now"):
        promote(case.registry, case.store, case.versions[2], {}, stale)
    with pytest.raises(RunError, match="is version 2 now"):
        promote(case.registry, case.store, case.versions[2], {}, None)
    case.is_whole(2)
    assert case.kinds() == ["decided", "done"] * 2


@dataclass
class Pausing:
    """A registry or store that lets something happen before one of its methods is called for the first time."""

    real: Any
    method: str
    meanwhile: Any

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name != self.method or self.meanwhile is None:
            return found

        def paused(*arguments: Any) -> Any:
            happen, self.meanwhile = self.meanwhile, None
            if happen:
                happen()
            return found(*arguments)

        return paused


def test_a_process_that_is_overtaken_before_its_write_changes_nothing(case: Case) -> None:
    """Its event is in the log, another process begins and ends a promotion, then it goes on."""
    store = Pausing(case.store, "replace", None)

    def overtake() -> None:
        repair(case.registry, case.store)  # the other process completes what this one has begun
        case.promote(3)

    store.meanwhile = overtake
    promote(case.registry, store, case.versions[1], {}, case.champion)
    case.is_whole(3)
    assert case.kinds() == ["decided", "done"] * 3


def test_a_process_that_is_overtaken_before_the_alias_does_not_undo_it(case: Case) -> None:
    registry = Pausing(case.registry, "set_alias", lambda: case.promote(3))
    promote(registry, case.store, case.versions[1], {}, case.champion)
    case.is_whole(3)


def test_two_promotions_at_once(case: Case) -> None:
    """Whatever the order, one version is champion everywhere, and each event is closed once."""
    for _ in range(5):
        expected = case.champion
        others = [version for version in case.versions if version.number != expected.number]
        children = [forked(promote, case.registry, case.store, one, {}, expected) for one in others]
        codes = [ended(child) for child in children]
        assert 0 in codes
        repair(case.registry, case.store)
        case.is_whole(case.champion.number)
        assert case.champion.number != expected.number


def test_an_alias_that_was_moved_by_hand_is_taken_over(case: Case) -> None:
    case.promote(2)
    stale = case.champion
    case.registry.set_alias("champion", 3)
    with pytest.raises(RunError, match="is version 3 now"):  # it was compared with a champion that is none
        promote(case.registry, case.store, case.versions[0], {}, stale)
    case.is_whole(3)
    moved = Log(case.store).events()[-2]
    assert (moved.kind, moved.facts["by"], moved.facts["from"]) == ("moved by hand", "unknown", 2)
    case.registry.set_alias("champion", 1)
    assert repair(case.registry, case.store) == [
        "the alias champion was moved by hand from version 3 to version 1; this was entered in the audit log"
    ]
    case.is_whole(1)


def test_a_hand_that_moves_the_alias_of_a_half_done_promotion_wins(case: Case) -> None:
    countdown = Countdown(2, after=True)
    store, registry = Deadly(case.store, countdown), Deadly(case.registry, countdown)
    assert ended(forked(promote, registry, store, case.versions[1], {}, case.champion)) == KILLED
    case.registry.set_alias("champion", 3)
    assert len(repair(case.registry, case.store)) == 2
    case.is_whole(3)
    assert case.kinds() == ["decided", "done", "decided", "abandoned", "moved by hand", "done"]


def test_an_alias_that_was_removed_is_set_again(case: Case) -> None:
    case.registry.set_alias("champion", None)
    assert repair(case.registry, case.store) == [
        "the alias champion named no version, and was set to version 1 again"
    ]
    case.is_whole(1)


def test_a_registry_that_had_a_champion_before_is_taken_over(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    registry = StoreRegistry(store)
    assert repair(registry, store) == []
    assert list(tmp_path.iterdir()) == []
    version = registry.register("place/p", {"package": "p"})
    registry.set_alias("champion", 1)
    assert repair(registry, store) == [
        "the alias champion was moved by hand to version 1; this was entered in the audit log"
    ]
    Case(tmp_path, store, registry, [version]).is_whole(1)


def test_a_damaged_fence_is_named(case: Case) -> None:
    (case.folder / "promotion.json").write_text('{"number": 2}')
    with pytest.raises(StorageError, match=r"promotion.json is damaged"):
        champion(case.store)
