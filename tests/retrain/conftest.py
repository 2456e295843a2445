"""A registry with three versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import Champion, champion, promote, repair, unfinished
from rfmeta_dist.retrain.registry import Registry, Version
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage.store import Store, open_store


@dataclass
class Case:
    """A registry with the versions 1 to 3, of which version 1 is champion."""

    folder: Path
    store: Store
    registry: Registry
    versions: list[Version]

    @property
    def champion(self) -> Champion:
        found = champion(self.store)
        assert found is not None
        return found

    def promote(self, number: int, **facts: Any) -> None:
        promote(self.registry, self.store, self.versions[number - 1], facts, champion(self.store))

    def kinds(self) -> list[str]:
        return [event.kind for event in Log(self.store).events()]

    def is_whole(self, number: int) -> None:
        """Check that a version is champion everywhere, and nothing is left to do."""
        assert self.champion.number == self.registry.alias("champion") == number
        assert self.champion.tags == self.versions[number - 1].tags
        events = Log(self.store).events()
        assert unfinished(events) == []
        (decided,) = [event for event in events if event.sha256 == self.champion.decided]
        assert decided.facts["number"] == number
        (done,) = [event for event in events if event.closes == decided.number]
        assert done.kind == "done"
        assert repair(self.registry, self.store) == []
        assert Log(self.store).events() == events


@pytest.fixture
def case(tmp_path: Path) -> Case:
    store = open_store(str(tmp_path))
    registry = StoreRegistry(store)
    batches = [
        '[["O", "card"]]',
        '[["O", "card"], ["C", "mask"]]',
        '[["O", "card"], ["C", "mask"], ["I", "x"]]',
    ]
    tags = [{"package": f"p{n}", "identity": f"i{n}", "batches": b} for n, b in enumerate(batches, 1)]
    versions = [registry.register(f"place/{one['package']}", one) for one in tags]
    made = Case(tmp_path, store, registry, versions)
    made.promote(1)
    return made
