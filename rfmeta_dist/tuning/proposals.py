"""Propose the candidates of a study. They depend on the study file alone, so all targets share them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist.config.distribution import Distribution
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.study import MOST_CANDIDATES, Study
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


def candidates(study: Study) -> list[Candidate]:
    """Return the candidates of a study, the base first. No two of them are the same configuration.

    The candidates are a pure function of the study file. If `search.candidates` is raised, the earlier ones
    stay the same. There are fewer than asked for if the space has no more points.

    Raises:
        ConfigError: the values of a candidate do not fit each other; the error names the field.
    """
    wanted = study.search.candidates or (MOST_CANDIDATES + 1 if study.search.kind == "grid" else CANDIDATES)
    found = [Candidate(0, {})]
    seen, configurations = {_text({})}, {_identity(study.base)}
    for values in itertools.islice(_proposals(study), None if study.search.kind == "grid" else DRAWS * wanted):
        if len(found) == wanted:
            break
        if (text := _text(values)) in seen:
            continue
        seen.add(text)
        identity = _identity(apply(study.base, values))
        if identity not in configurations:
            configurations.add(identity)
            found.append(Candidate(len(found), values))
    return found


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True)


def _identity(config: Config) -> str:
    return _text(config.model_dump(mode="json"))


def _proposals(study: Study) -> Iterator[dict[str, Any]]:
    """Yield the values of one proposal after the other; equal ones may come again."""
    if study.search.kind == "grid":
        return _grid(study.space)
    points = {"random": _random, "sobol": _sobol}[study.search.kind]
    return (point(study.space, unit) for unit in points(sorted(study.space), study.search.seed))


def _random(fields: list[str], seed: int) -> Iterator[tuple[float, ...]]:
    """Yield random points. A coordinate depends on its field's name, so a further field does not change it."""
    for draw in itertools.count():
        yield tuple(seeds.seed("tune", "random", seed, draw, field) / 2**63 for field in fields)


def _sobol(fields: list[str], seed: int) -> Iterator[tuple[float, ...]]:
    return sobol([seeds.seed("tune", "sobol", seed, field) >> 31 for field in fields])


def _grid(space: Mapping[str, Distribution]) -> Iterator[dict[str, Any]]:
    """Yield all combinations of values, the values of the file's last field changing fastest."""
    lists = [range(d.values[0], d.values[1] + 1) if d.kind == "int" else d.values for d in space.values()]
    for values in itertools.product(*lists):
        yield active(space, dict(zip(space, values, strict=True)))
