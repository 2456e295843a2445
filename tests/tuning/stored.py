"""A study in a folder, with made-up figures, so that it can be looked at."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import Study
from rfmeta_dist.runs import pins
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.tuning import results
from rfmeta_dist.tuning.folds import TRAININGS
from rfmeta_dist.tuning.known import Known
from rfmeta_dist.tuning.plan import Plan
from rfmeta_dist.tuning.results import Result
from rfmeta_dist.tuning.study import FILE, Opened, State, look

Value = Callable[[Config, str, int], Result]


def store(study: Study, hours: float = 1.5) -> Opened:
    """Write the files that a study has in its folder before anything is trained.

    The lease is one that was given back, so that another process may search too.
    """
    shared = open_store(study.folder)
    folder = shared.sub(study.name)
    folder.write(FILE, json.dumps(study.model_dump(mode="json")).encode())
    manifests = pins.add(folder, {domain: f"manifest of {domain}" for domain in study.domains})
    holder = replace(lease.Holder.me(lease.SEARCHED), released=True)
    shared.sub(TRAININGS).write(lease.NAME, holder.to_bytes())
    state = State("code", seconds=3600 * hours)
    found = Opened(Plan(study), folder, shared, manifests, state, token=holder.token)
    found.orders()  # writes the state
    return found


def train(found: Opened, value: Value, most: int = 10_000) -> None:
    """Do what the study orders, until it orders nothing or so many stretches of trainings are done.

    Args:
        found: the study, from `store`.
        value: the figure of a training, by its configuration, the domain it is judged on and the step.
        most: number of stretches to do.
    """
    while orders := found.orders():
        for order in orders:
            if not most:
                found.orders()
                return
            for judged, name in order.figures.items():
                results.write(found.shared, name, value(order.config, judged, order.until))
            most -= 1


def seen(found: Opened) -> Known:
    """Return the study as another process sees it."""
    return look(str(Path(found.folder.url)))


def made_up(config: Config, judged: str, step: int) -> Result:
    """Return figures that fall with the steps, and are lowest at an inner learning rate of about 0.01."""
    chance = random.Random(repr((config.run.name, judged))).random()
    distance = abs(math.log10(config.method.inner_learning_rate) + 2)
    value = min(0.5, 0.05 + 0.3 / step**0.5 + 0.05 * distance + 0.03 * chance)
    return Result(value, 1 - value)
