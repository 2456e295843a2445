"""Compute error rates by what is known about recordings, such as device, session and light.

A slice is all recordings with one value of one attribute. In each slice, the share of live recordings that are
rejected (BPCER) and, for each attack type, the share of attacks that are accepted (APCER) have an interval.

Many rates are compared, and the smallest slices have the most extreme ones by chance alone. So the intervals
are simultaneous: with m rates, each has the level 1 − 0.05/m (Bonferroni), and the probability that any of them
misses its true rate is at most 5 %. Rates are sorted by the lower end. A slice is called worse than the whole
only if its interval lies above the rate of all recordings.

Recordings of one person are correlated. So an interval is that of Clopper and Pearson for an effective number
of recordings (Korn & Graubard 1998, Survey Methodology 24:193), n/(1 + (c − 1)·ρ) for people with c recordings
each, reduced by quantiles of Student's t for few people. The correlation ρ within people is estimated on all
recordings, because an estimate on the few people of a slice varies too much. The estimate on the slice is used
only if it gives a smaller number. If the whole has no error, ρ is unknown and taken as 1: each person counts
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.about import from_text
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation.interval import of_effective
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.evaluation.scores import Scores

    Array = NDArray[np.float64]
    Codes = NDArray[np.int64]
    Row = dict[str, Any]

LEVEL = 0.95
FEW = 10  # with fewer people, a rate is marked
MOST = 50  # values of one attribute that are compared


def compute(scores: Scores, threshold: float) -> dict[str, Any] | None:
    """Compute the error rates of all slices, as values that JSON can represent.

    The result has:

        level     level at which all intervals hold together: 0.95
        compared  m, the number of rates that are compared
        few       number of people below which a rate is marked
        rows      a list, the highest `low` first; see below
        left_out  a list of {"attribute", "why", "rates", "recordings"}. `why` is `one person` for rates of one
                  person, because they would describe this person, and `many values` for the values of an
                  attribute beyond the 50 with the most people
        unknown   number of recordings by attribute whose value is missing, among classes that have values

    A row is one rate of one slice:

        attribute, value  such as `device` and `phone-2`
        rate, type        `BPCER` and `live`, or `APCER` and the attack type
        errors, recordings, subjects
        point, low, high  errors/recordings and its simultaneous interval, in [0, 1]
        whole             the same rate over all recordings
        worse             True if `low` > `whole`
        few               True if there are fewer people than `few`
        worst_type        True for the type with the highest APCER of the slice, which is the slice's APCER

    A slice that holds all recordings of its class is no row, because it is the whole.

    Args:
        scores: N frames or videos, N > 0.
        threshold: a sample is accepted as live if its score ≥ threshold.

    Returns:
        None if nothing is known about any recording.

    Raises:
        DataError: what is known about a recording cannot be read (see `core.about`).
    """
    texts, text = coded(scores.about)
    facts = [from_text(known) for known in texts]
    attributes = sorted({name for known in facts for name in known})
    if not attributes:
        return None
    kinds, kind = coded(scores.attack_type)
    error = (scores.score >= threshold) != (scores.label == 1)
    cells = _Cells.of(text, kind, coded(scores.subject)[1], error)
    whole = _Rates.of(cells.kind, cells, len(kinds))
    told: dict[str, Any] = {"left_out": [], "unknown": {}}
    rows = [row for name in attributes for row in _rows(name, facts, kinds, cells, whole, told)]
    return {"level": LEVEL, "compared": len(rows), "few": FEW, "rows": _judged(rows), **told}


@dataclass(frozen=True)
class _Cells:
    """The recordings, summed over equal facts, class and person: there are far fewer of these than recordings.

    Attributes:
        text, kind, subject: codes of each cell.
        n, k: number of recordings and of errors among them.
    """

    text: Codes
    kind: Codes
    subject: Codes
    n: Array
    k: Array

    @classmethod
    def of(cls, text: Codes, kind: Codes, subject: Codes, error: NDArray[np.bool_]) -> _Cells:
        import numpy as np

        kinds, subjects = int(kind.max()) + 1, int(subject.max()) + 1
        code, cell = np.unique((text * kinds + kind) * subjects + subject, return_inverse=True)
        rest, subject = np.divmod(code, subjects)
        text, kind = np.divmod(rest, kinds)
        n, k = (_summed(cell, of, len(code)) for of in (np.ones(len(error)), error.astype(np.float64)))
        return cls(text, kind, subject, n, k)


@dataclass(frozen=True)
class _Rates:
    """The errors of G groups of recordings.

    Attributes:
        n, k: number of recordings and of errors.
        people: number of people.
        squares: sum over people of the squared number of their recordings.
        spread: sum over people of (errors − recordings · rate of the group)².
    """

    n: Array
    k: Array
    people: Codes
    squares: Array
    spread: Array

    @classmethod
    def of(cls, group: Codes, cells: _Cells, groups: int) -> _Rates:
        """Sum the cells by their group; cells of a negative group are left out."""
        import numpy as np

        rows = group >= 0
        subjects = int(cells.subject.max()) + 1
        code, person = np.unique(group[rows] * subjects + cells.subject[rows], return_inverse=True)
        n, k = (_summed(person, count[rows], len(code)) for count in (cells.n, cells.k))
        of = code // subjects

        def total(values: Array) -> Array:
            return _summed(of, values, groups)

        all_n, all_k = total(n), total(k)
        rest = k - n * (all_k / np.maximum(all_n, 1))[of]
        return cls(all_n, all_k, np.bincount(of, minlength=groups), total(n**2), total(rest**2))

    @property
    def point(self) -> Array:
        """Return the error rate of each group; 0 without recordings."""
        import numpy as np

        return np.asarray(self.k / np.maximum(self.n, 1))

    def correlation(self) -> Array:
        """Return the correlation of errors within people in each group, in [0, 1]; 1 if it cannot be told."""
        import numpy as np

        variance = self.point * (1 - self.point)
        more = np.maximum(self.squares - self.n, 0)  # 0 if everybody has one recording
        known = (variance > 0) & (more > 0) & (self.people > 1)
        rho = np.ones(len(self.n))
        rho[known] = (self._scaled()[known] / variance[known] - self.n[known]) / more[known]
        return np.asarray(np.clip(rho, 0, 1))

    def effective(self, rho: Array) -> Array:
        """Return the effective number of recordings of each group, given the correlation within people."""
        import numpy as np

        n, spread = np.maximum(self.n, 1), self._scaled()
        pooled = n / (1 + np.maximum(self.squares / n - 1, 0) * rho)
        variance = self.point * (1 - self.point) * n**2
        # If everybody has one recording, the spread is that of independent recordings and tells nothing.
        told = (spread > 0) & (variance > 0) & (self.squares > self.n)
        own = np.divide(variance, spread, out=np.full(len(n), np.inf), where=told)
        return np.asarray(np.minimum(np.minimum(n, pooled), own))

    def _scaled(self) -> Array:
        """Return `spread`, corrected for the rate that was estimated on the same people."""
        import numpy as np

        return np.asarray(self.spread * self.people / np.maximum(self.people - 1, 1))


def _summed(group: Codes, values: Array, groups: int) -> Array:
    """Return the sum of the values of each group."""
    import numpy as np

    sums: Array = np.bincount(group, weights=values, minlength=groups).astype(np.float64)
    return sums


def _rows(
    name: str,
    facts: Sequence[dict[str, str]],
    kinds: Sequence[str],
    cells: _Cells,
    whole: _Rates,
    told: dict[str, Any],
) -> list[Row]:
    """Return the rows of one attribute without their intervals, and note in `told` what has no row.

    A group is a value and a class: its number is value · classes + class.
    """
    import numpy as np

    values = sorted({known[name] for known in facts if name in known})
    position = {value: index for index, value in enumerate(values)}
    value = np.array([position[known[name]] if name in known else -1 for known in facts])[cells.text]
    groups = len(values) * len(kinds)
    rates = _Rates.of(np.where(value < 0, -1, value * len(kinds) + cells.kind), cells, groups)
    known = rates.n.reshape(-1, len(kinds)).sum(axis=0)
    if missing := int((whole.n - known)[known > 0].sum()):
        told["unknown"][name] = missing
    effective = rates.effective(np.tile(whole.correlation(), len(values)))
    return [
        {
            "attribute": name,
            "value": values[group // len(kinds)],
            "rate": "BPCER" if kinds[group % len(kinds)] == LIVE else "APCER",
            "type": kinds[group % len(kinds)],
            "errors": int(rates.k[group]),
            "recordings": int(rates.n[group]),
            "subjects": int(rates.people[group]),
            "point": float(rates.point[group]),
            "whole": float(whole.point[group % len(kinds)]),
            "effective": float(effective[group]),
        }
        for group in np.flatnonzero(_kept(name, rates, whole, told)).tolist()
    ]


def _kept(name: str, rates: _Rates, whole: _Rates, told: dict[str, Any]) -> NDArray[np.bool_]:
    """Return True for each group that has a row, and note in `told` the others that have recordings."""
    import numpy as np

    kinds = len(whole.n)
    several = (rates.people > 1) & (rates.n < np.tile(whole.n, len(rates.n) // kinds))
    people = np.where(several, rates.people, 0).reshape(-1, kinds).max(axis=1)
    most = np.zeros(len(people), bool)
    most[np.argsort(-people, kind="stable")[:MOST]] = True
    within = np.repeat(most, kinds)
    for why, out in (("one person", rates.people == 1), ("many values", several & ~within)):
        if out.any():
            counts = {"rates": int(out.sum()), "recordings": int(rates.n[out].sum())}
            told["left_out"].append({"attribute": name, "why": why, **counts})
    return np.asarray(several & within)


def _judged(rows: list[Row]) -> list[Row]:
    """Return the rows with their intervals and marks, the highest lower end first."""
    import numpy as np

    if not rows:
        return []
    n, point, people = (np.array([row[name] for row in rows]) for name in ("recordings", "point", "subjects"))
    effective = np.array([row.pop("effective") for row in rows])
    lows, highs = of_effective(point, n, people, effective, (1 - LEVEL) / len(rows))
    highest: dict[tuple[str, str], float] = {}
    for row in rows:
        if row["rate"] == "APCER":
            of = row["attribute"], row["value"]
            highest[of] = max(highest.get(of, 0.0), row["point"])
    for row, low, high in zip(rows, lows.tolist(), highs.tolist(), strict=True):
        worst = row["rate"] == "APCER" and row["point"] == highest[row["attribute"], row["value"]]
        row |= {"low": low, "high": high, "worse": low > row["whole"]}
        row |= {"few": row["subjects"] < FEW, "worst_type": worst}
    return sorted(
        rows, key=lambda row: (-row["low"], -row["point"], row["attribute"], row["value"], row["type"])
    )
