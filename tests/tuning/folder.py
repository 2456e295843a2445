"""A study on real domains, whose trainings are made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfmeta_dist.config.load import check
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.orders import Order
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import Opened
from tests.tuning.studies import base, result, study


def small(faces: Path, **changes: Any) -> Study:
    given = {"base": check(base(str(faces)), "test"), **changes}
    return study(folder=str(faces.parent / "studies"), **given)


def names(orders: list[Order]) -> list[str]:
    return [order.config.run.name for order in orders]


def untils(orders: list[Order]) -> list[tuple[str, int]]:
    return [(order.config.run.name, order.until) for order in orders]


def do(found: Opened, orders: list[Order], given: Result | None = None) -> None:
    for order in orders:
        for name in order.figures.values():
            results.write(found.shared, name, given or result(0.3))
