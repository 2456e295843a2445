"""Write a verdict as JSON and in words, and check a stored one against the stored scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rfmeta_dist.config.retrain import Gate
from rfmeta_dist.retrain.decisions import OWN
from rfmeta_dist.retrain.pairs import FROZEN, NEW, Pairs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Row = dict[str, Any]

FORMAT = 1
PROMOTED, REFUSED, UNDECIDED = "promoted", "refused", "undecided"
_SAME = 1e-9  # relative difference of two figures that another version of numpy may cause


@dataclass(frozen=True)
class Verdict:
    """What the gate decided, and all that it decided from.

    Attributes:
        decision: `promoted`, `refused` or `undecided`.
        settings: the gate's section of the configuration.
        tries: which try this was; see `gate.judge`.
        pairs: the scores.
        equal: thresholds of champion and challenger for equal BPCER.
        tests: rows of the tests of gain and of no loss; see `as_dict`.
        cells: rows of the tests of harm; see `harm.tested`.
        rates: rows of error rates; see `gate.rates`.
        needs: rows of what would decide; see `gate.judge`. Empty unless the verdict is undecided.
    """

    decision: str
    settings: Mapping[str, Any]
    tries: int
    pairs: Pairs
    equal: tuple[float, float]
    tests: Sequence[Row]
    cells: Sequence[Row]
    rates: Sequence[Row]
    needs: Sequence[Row]

    @property
    def harmed(self) -> list[Row]:
        """Return the rows of the cells with significant harm at own thresholds, the most significant first."""
        return [row for row in self.cells if row["harm"] and row["at"] == OWN]

    @property
    def hidden(self) -> list[Row]:
        """Return the rows of the cells with harm at equal BPCER only, which do not decide."""
        named = {row["cell"] for row in self.harmed}
        return [row for row in self.cells if row["harm"] and row["at"] != OWN and row["cell"] not in named]

    @property
    def sentence(self) -> str:
        """Return the verdict in plain words."""
        return f"{self._decided()}{self._noted()}"

    def _noted(self) -> str:
        if not self.hidden:
            return ""
        named = "; ".join(f"{row['cell']} ({_errors(row)})" for row in self.hidden[:3])
        return (
            f" Look at {named}: there the challenger makes more errors if it rejects as many live videos as "
            "the champion, though not at its own threshold."
        )

    def _decided(self) -> str:
        if self.decision == REFUSED:
            named = "; ".join(f"{row['cell']} ({_errors(row)})" for row in self.harmed[:3])
            more = f"; further cells: {len(self.harmed) - 3}" if len(self.harmed) > 3 else ""
            return f"Refused: the challenger makes significantly more errors on {named}{more}."
        gain = self.tests[0]
        if self.decision == PROMOTED:
            return (
                f"Promoted: the challenger makes significantly fewer errors on {gain['on']} "
                f"({_errors(gain)}). It loses less than {self.settings['margin']:g} points on live videos and "
                "on every attack type of the frozen test sets, and no cell shows significant harm."
            )
        missing = "; ".join(map(_need, self.needs))
        return f"Undecided: no significant harm was found, but not everything was shown. Missing: {missing}."

    def as_dict(self) -> dict[str, Any]:
        """Return the content of verdict.json.

        It has `format`, `decision`, `sentence`, `settings`, `tries`, `scores` (SHA-256 of scores.parquet),
        `packages`, `thresholds` (those of the packages, and those at equal BPCER), `sizes` (videos
        and people), `tests`, `harm`, `rates` and `needs`. A row of `tests` has `test` (gain or no loss), `of`
        (the type), `on` (which videos), `at` (which thresholds), `videos`, `subjects`, `champion` and
        `challenger` (numbers of errors), `points` (difference of the error rates, positive if the challenger
        errs more), `disagreement` (share of videos that exactly one gets wrong), `design_effect`, `p`, `level`
        and `passed`.
        """
        pairs = self.pairs
        own = dict(zip(("champion", "challenger"), pairs.thresholds, strict=True))
        parts = {
            "frozen": pairs.part == FROZEN,
            "new": pairs.part == NEW,
            "new_counted": (pairs.part == NEW) & pairs.counted,
        }
        return {
            "format": FORMAT,
            "decision": self.decision,
            "sentence": self.sentence,
            "settings": dict(self.settings),
            "tries": self.tries,
            "scores": pairs.sha256,
            "packages": dict(zip(("champion", "challenger"), pairs.packages, strict=True)),
            "thresholds": own | {"at_equal_bpcer": list(self.equal)},
            "sizes": {name: _size(pairs, rows) for name, rows in parts.items()},
            "tests": [dict(row) for row in self.tests],
            "harm": [dict(row) for row in self.cells],
            "rates": [dict(row) for row in self.rates],
            "needs": [dict(row) for row in self.needs],
        }


def _size(pairs: Pairs, rows: NDArray[np.bool_]) -> dict[str, int]:
    return {"videos": int(rows.sum()), "subjects": len(set(pairs.subject[rows].tolist()))}


def _errors(row: Row) -> str:
    return (
        f"{row['challenger']} of {row['videos']} videos wrong instead of {row['champion']}, "
        f"{row['points']:+.1f} points"
    )


def _need(row: Row) -> str:
    said = f"{row['test']}, {row['of']}, {row['on']}"
    if row["videos"] is None:
        return f"{said}: {row['why']}"
    return f"{said}: about {row['videos']} more videos ({row['subjects']} people); {row['why']}"


def recompute(scores: bytes, verdict: Mapping[str, Any]) -> list[str]:
    """Judge again from stored scores, and return how the stored verdict differs; [] if it does not.

    Args:
        scores: content of scores.parquet.
        verdict: content of verdict.json.

    Returns:
        Texts such as `decision: promoted is stored, refused is what the scores give`.

    Raises:
        DataError: the scores cannot be read, or nothing can be judged from them.
    """
    from rfmeta_dist.retrain.gate import judge

    digest = hashlib.sha256(scores).hexdigest()
    if verdict.get("scores") != digest:
        return [f"scores: the verdict is about scores {verdict.get('scores')}, but the file has {digest}"]
    if verdict.get("format") != FORMAT:
        return [f"format: {verdict.get('format')} is stored, but this version writes and checks {FORMAT}"]
    tries = verdict.get("tries")
    try:
        settings = Gate.model_validate(verdict.get("settings"))
    except ValidationError:
        return [f"settings: {verdict.get('settings')} is stored, which is not a gate's configuration"]
    if not isinstance(tries, int) or not 1 <= tries <= 1000:
        return [f"tries: {tries} is stored, which is not a number of tries"]
    return list(_differences("", verdict, judge(Pairs.from_parquet(scores), settings, tries).as_dict()))


def _differences(path: str, stored: Any, found: Any) -> Iterator[str]:
    """Yield where two JSON values differ."""
    inside = f"{path}." if path else ""
    if isinstance(stored, Mapping) and isinstance(found, Mapping):
        for name in sorted({*stored, *found}):
            yield from _differences(f"{inside}{name}", stored.get(name), found.get(name))
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for index, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from _differences(f"{inside}{index}", one, other)
    elif not _equal(stored, found):
        yield f"{path}: {stored} is stored, {found} is what the scores give"


def _equal(stored: Any, found: Any) -> bool:
    if isinstance(stored, bool) or isinstance(found, bool):
        return stored is found
    if isinstance(stored, int | float) and isinstance(found, int | float):
        return math.isclose(stored, found, rel_tol=_SAME, abs_tol=1e-15)
    return type(stored) is type(found) and stored == found
