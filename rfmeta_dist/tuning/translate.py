"""Translate between a study's search space and Optuna's, for proposals and for the importance of fields."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.study import Study
from rfmeta_dist.tuning.proposals import Candidate
from rfmeta_dist.tuning.space import active, rounded

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

ABSENT = object()  # in place of a value; None is a value that a field may have


def in_space(study: Study, base: Any, candidate: Candidate) -> dict[str, Any] | None:
    """Return a candidate's value of each field of the space that applies to it.

    Args:
        study: the study.
        base: its base as a tree, as in JSON. Fields that the candidate does not set are as there.
        candidate: the candidate.

    Returns:
        None if such a value is not in the space: Optuna cannot be told of it.
    """
    values = {name: candidate.values.get(name, at(base, name)) for name in study.space}
    found = active(study.space, values)
    return found if all(study.space[name].contains(value) for name, value in found.items()) else None


def at(tree: Any, name: str) -> Any:
    """Return the value of a dotted field in a tree; `ABSENT` if the tree lacks the field."""
    for part in name.split("."):
        tree = tree.get(part, ABSENT) if isinstance(tree, Mapping) else ABSENT
    return tree


def distribution(given: Distribution) -> BaseDistribution:
    """Return the distribution of a field as Optuna's."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if given.kind == "choice":  # of places in the list, since Optuna's choices cannot be lists or sections
        return CategoricalDistribution(tuple(range(given.count)))
    low, high = given.values
    if given.kind == "int":
        return IntDistribution(low, high)
    return FloatDistribution(low, high, log=given.kind == "loguniform")


def to_optuna(given: Distribution, value: Any) -> float:
    """Return the value of a field as Optuna is told of it."""
    return given.values.index(value) if given.kind == "choice" else value


def from_optuna(given: Distribution, value: Any) -> Any:
    """Return the value of a field that Optuna proposes, with as many digits as all proposals have."""
    if given.kind == "choice":
        return given.values[value]
    return rounded(given, value) if given.continuous else value


@contextmanager
def quietly() -> Iterator[None]:
    """Keep Optuna's messages and warnings from the terminal, such as those about experimental arguments."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
