"""Hold the verdict of the gate, and write it as JSON and in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.retrain.decisions import OWN
from rfmeta_dist.retrain.pairs import FROZEN, NEW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.retrain.pairs import Pairs

    Row = dict[str, Any]

FORMAT = 1
PROMOTED, REFUSED, UNDECIDED = "promoted", "refused", "undecided"


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
        return " ".join(["Undecided: no significant harm was found.", *(row["words"] for row in self.needs)])

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


def need(row: Row) -> str:
    """Return in sentences what was not shown, and what would show it.

    Args:
        row: one of `needs`; see `gate.judge`.
    """
    what = "" if row["of"] == "all types" else f" {row['of']}"
    on = f"the {row['on'].removesuffix(' videos')}{what} videos"
    shown = "makes fewer errors" if row["test"] == "gain" else "loses less than the margin"
    more = (
        ""
        if row["videos"] is None
        else (f" About {row['videos']:,} more such videos, of {row['subjects']:,} people, would decide it.")
    )
    return f"It is not shown that the challenger {shown} on {on}.{more} {row['why']}"
