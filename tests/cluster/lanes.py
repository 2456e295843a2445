"""Orders for tests of lanes, and what is left of them to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rfmeta_dist.cluster import trials
from rfmeta_dist.config.load import check
from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.reading import domains
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import Result


def changed(config: Config, **sections: Any) -> Config:
    """The configuration with some fields of its sections replaced."""
    tree = config.model_dump(mode="json")
    for name, fields in sections.items():
        tree[name] |= fields
    return check(tree, "test")


@dataclass
class Desk:
    """A study's folder, and lists of orders. Of each list, the first that has no figures yet is wanted."""

    folder: Path
    lists: list[list[Order]]
    said: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    local: bool = True
    on_row: Callable[[dict[str, Any]], None] = lambda row: None

    @property
    def store(self) -> Store:
        return open_store(str(self.folder))

    @property
    def failures(self) -> Store:
        return self.store.sub("study/failures")

    def result(self, figure: str) -> Result | None:
        return results.read(self.store, figure)

    def failure(self, figure: str) -> Result | None:
        return results.read(self.failures, figure)

    def left(self, order: Order) -> bool:
        return any(self.result(name) is None and self.failure(name) is None for name in order.figures.values())

    def orders(self) -> Sequence[Order]:
        return [order for order in (next(filter(self.left, each), None) for each in self.lists) if order]

    def run(self) -> None:
        config = self.lists[0][0].config
        manifests = {name: manifest.fingerprint for name, manifest in domains.open_sources(config).items()}
        manifests[config.data.target] = domains.open_target(config).fingerprint

        def tell(row: dict[str, Any]) -> None:
            self.rows.append(row)
            self.on_row(row)

        with lease.held(self.store.sub("trainings"), lease.SEARCHED) as right:
            trials.run(
                self.orders,
                manifests,
                str(self.folder),
                self.failures,
                tell,
                on_notice=self.said.append,
                local=self.local,
                token=right.token,
            )


def order(config: Config, until: int, *judged: str) -> Order:
    """An order with a figure for each domain on which the model is judged."""
    figures = {name: f"figures/{config.run.name}-{until}-{name.strip('()')}.json" for name in judged}
    return Order(config, until, figures)
