"""Propose the candidates of a study, cohort by cohort.

Those of random, sobol and grid depend on the study file alone, so all targets share them, and no cohort waits
for another. Those of tpe and gp depend on the target's own scores too, after some start-up cohorts that all
targets share.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.search import MOST_CANDIDATES
from rfmeta_dist.config.study import Study
from rfmeta_dist.core import seeds
from rfmeta_dist.tuning.sobol import sobol
from rfmeta_dist.tuning.space import active, apply, point

CANDIDATES = 16  # of random and sobol, if the study does not give a number
DRAWS = (
    64  # points that are drawn for each candidate asked for, until a space with few points counts as exhausted
)


@dataclass(frozen=True)
class Candidate:
    """A configuration that a study considers.

    Attributes:
        number: its place in the order of proposals; 0 is the base.
        values: dotted field of the configuration → value; other fields are as in the base.
    """

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """What a target knows about one of its candidates, for a search that learns.

    A candidate without a value and without rungs that did not fail is still being trained.

    Attributes:
        candidate: the candidate.
        value: its score at the last step, the mean over folds and seeds; None if it did not come so far.
        rungs: its score at each step at which it was judged.
        failed: True if it failed.
    """

    candidate: Candidate
    value: float | None
    rungs: Mapping[int, float]
    failed: bool


def count(study: Study) -> int:
    """Return the number of candidates that a study asks for; the space may have fewer."""
    search = study.search
    default = MOST_CANDIDATES + 1 if search.kind == "grid" else max(CANDIDATES, 1 + len(search.points))
    return search.candidates or default


def startup(study: Study) -> int:
    """Return how many candidates of tpe and gp are proposed without scores: whole cohorts.

    They begin with the base and the study's own points, of which there may be more than `search.startup`.
    """
    search = study.search
    return search.batch * math.ceil(max(search.startup, 1 + len(search.points)) / search.batch)


def candidates(study: Study, wanted: int) -> list[Candidate]:
    """Return the candidates of a study that depend on no score. No two of them are the same configuration.

    The base comes first, then the study's own points (`search.points`), then what `search.kind` proposes. The
    candidates are a pure function of the study file. If more are wanted, the earlier ones stay the same. There
    are fewer than wanted if the space has no more points.

    Args:
        study: the study.
        wanted: how many to return. Of tpe and gp, none after the first `startup` are returned, since those
            depend on scores.

    Raises:
        ConfigError: the values of a candidate do not fit each other; the error names the field.
    """
    if study.search.learns:
        wanted = min(wanted, startup(study))
    found = [Candidate(0, {})]
    seen, configurations = {_text({})}, {identity(study.base)}
    for values in itertools.islice(_proposals(study), None if study.search.kind == "grid" else DRAWS * wanted):
        if len(found) >= wanted:
            break
        if (text := _text(values)) in seen:
            continue
        seen.add(text)
        configuration = identity(apply(study.base, values))
        if configuration not in configurations:
            configurations.add(configuration)
            found.append(Candidate(len(found), values))
    return found[:wanted]


def _text(values: Any) -> str:
    return json.dumps(values, sort_keys=True)


def identity(config: Config) -> str:
    """Return a text that two configurations share if and only if they are the same."""
    return _text(config.model_dump(mode="json"))


def _proposals(study: Study) -> Iterator[dict[str, Any]]:
    """Yield the values of one proposal after the other, the study's own points first. Equal ones may come."""
    for own in study.search.points:
        yield {name: own[name] for name in study.space if name in own}
    if study.search.kind == "grid":
        yield from _grid(study.space)
        return
    # Start-up candidates of tpe and gp are spread evenly, since few random points leave large gaps.
    points = units if study.search.kind == "random" else _sobol
    for unit in points(sorted(study.space), study.search.seed):
        yield point(study.space, unit)


def units(fields: list[str], seed: int) -> Iterator[tuple[float, ...]]:
    """Yield random points of the unit cube, without end.

    A coordinate depends on the seed and its field's name, so a further field does not change it.
    """
    for draw in itertools.count():
        yield tuple(seeds.seed("tune", "random", seed, draw, field) / 2**63 for field in fields)


def _sobol(fields: list[str], seed: int) -> Iterator[tuple[float, ...]]:
    return sobol([seeds.seed("tune", "sobol", seed, field) >> 31 for field in fields])


def _grid(space: Mapping[str, Distribution]) -> Iterator[dict[str, Any]]:
    """Yield all combinations of values, the values of the file's last field changing fastest."""
    lists = [range(d.values[0], d.values[1] + 1) if d.kind == "int" else d.values for d in space.values()]
    for values in itertools.product(*lists):
        yield active(space, dict(zip(space, values, strict=True)))
