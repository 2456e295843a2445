"""Searches with made-up figures, and comparisons of what they chose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.opening import Comparison, cases, claimed
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.study import opened
from tests.tuning.studies import base, result, study


def searched(faces: Path, **changes: Any) -> str:
    """Search with made-up figures, in which the base is the worst, and return the study's folder."""
    given = {"base": check(base(str(faces)), "test"), "search": {"candidates": 3}, **changes}
    with opened(study(folder=str(faces.parent / "studies"), **given)) as found:
        while orders := found.orders():
            do(found.shared, orders)
        for target in found.plan.targets:
            found.choose(target)
        return found.folder.url


def do(shared: Store, orders: list[Order], least: float = 0.1) -> None:
    for order in orders:
        value = least if order.config.method.inner_learning_rate != 1e-3 else 0.4
        value += order.config.training.seed / 100
        for name in order.figures.values():
            results.write(shared, name, result(value))


@contextmanager
def comparing(folder: str, seeds: int = 3) -> Iterator[Comparison]:
    with claimed(folder) as found:
        comparison = Comparison(found, cases(found, seeds))
        comparison.open_targets()
        yield comparison


def compared(folder: str) -> dict[str, Any]:
    with comparing(folder) as comparison:
        while orders := comparison.orders():
            do(comparison.study.shared, orders)
        return comparison.report()
