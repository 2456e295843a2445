"""Make `Scores` of anyone's tables of scores, after checking that they can be judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.evaluation import rates, tables, vocabulary
from rfmeta_dist.evaluation.given_rows import Reading, Rows
from rfmeta_dist.evaluation.scores import coded

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from rfmeta_dist.core.types import Split, Unit
    from rfmeta_dist.evaluation.scores import Scores
    from rfmeta_dist.evaluation.tables import Table

TURNED_BELOW = 0.3  # an AUC below this is taken as a sign that scores are higher for attacks


@dataclass(frozen=True, eq=False)
class Given:
    """Scores that were read from anyone's tables, in which higher is more live.

    Attributes:
        test: the rows to judge.
        validation: the rows to choose a threshold on; None if there are none.
        units: `video`, preceded by `frame` if some recording has several rows.
        people: True if the tables name the people shown. If False, the subject of every row is "".
        turned: True if a higher score means attack in the tables; the scores here are then multiplied by −1.
        left_out: number of rows of each split that are neither judged nor used to choose a threshold.
    """

    test: Scores
    validation: Scores | None
    units: tuple[Unit, ...]
    people: bool
    turned: bool
    left_out: Mapping[str, int]


def read(data: bytes, name: str, reading: Reading) -> Table:
    """Read one file of scores; see `tables.read`."""
    return tables.read(data, name, vocabulary.chooser(name, reading.columns))


def understand(table: Table, validation: Table | None = None, reading: Reading | None = None) -> Given:
    """Return the scores of one table, or of one with the test rows and another with the validation rows.

    Args:
        table: the rows to judge; also the validation rows if they are not given apart.
        validation: the validation rows, if they are given apart.
        reading: how to understand the tables; None for the usual way.

    Raises:
        DataError: a label, split or score is not understood; there is no row to judge, or only one class;
            two rows are of one frame; the rows of a recording contradict each other; a person is in both
            splits; or the scores seem to be higher for attacks, and `reading.higher_is` is None.
    """
    reading = reading or Reading()
    files: list[tuple[Table, Split | None]] = [(table, "test" if validation else None)]
    if validation:
        files.append((validation, "validation"))
    rows = Rows.of(files, reading)
    rows.require_finite()
    units = rows.require_units()
    rows.require_agreement()
    test, chosen = rows.sides(reading.target)
    rows.require_apart(test, chosen)
    scores = rows.scores(turned=reading.higher_is == "attack")
    unused = Counter(scores.split[~(test | chosen)].tolist())
    given = Given(
        scores.select(test),
        scores.select(chosen) if chosen.any() else None,
        units,
        rows.people,
        reading.higher_is == "attack",
        dict(unused),
    )
    sides = {"test rows": given.test, "validation rows": given.validation}
    _require({what: scores for what, scores in sides.items() if scores is not None}, reading)
    return given


def every_row(table: Table, reading: Reading, domains: Collection[str] = ()) -> Given:
    """Return all rows of a table, whatever their split, as those to judge.

    Args:
        table: the rows.
        reading: how to understand the table. Its target is not used.
        domains: take the rows of these domains only; of all if empty.

    Raises:
        DataError: as in `understand`, except that a person may be in several splits; or a domain has no row.
    """
    import numpy as np

    if domains and "domain" not in table.columns:
        raise DataError(
            f"the rows of domain {', '.join(sorted(domains))} are asked for, but {table.name} has no column "
            "domain",
            "say which column it is: --column domain=NAME; or leave --domain out",
        )
    rows = Rows.of([(table, None)], reading)
    rows.require_finite()
    units = rows.require_units()
    rows.require_agreement()
    present = coded(rows.columns["domain"])[0]
    absent = sorted(set(domains) - set(present))
    if absent:
        raise DataError(
            f"the table has no scores of {', '.join(absent)}", f"choose from its domains: {', '.join(present)}"
        )
    turned = reading.higher_is == "attack"
    scores = rows.scores(turned=turned)
    if domains:
        scores = scores.select(np.isin(scores.domain, sorted(domains)))
    _require({"rows": scores}, reading)
    return Given(scores, None, units, rows.people, turned, {})


def _require(sides: Mapping[str, Scores], reading: Reading) -> None:
    """Check that there are both classes, and that higher scores seem to mean live if this was not said."""
    _require_classes(sides)
    if reading.higher_is is None:
        _require_polarity(sides)


def _require_classes(sides: Mapping[str, Scores]) -> None:
    for what, scores in sides.items():
        for label, name in ((1, "live"), (0, "attack")):
            if not (scores.label == label).any():
                raise DataError(
                    f"the {len(scores):,} {what} have no {name} row, so their error rates are undefined",
                    "give scores of both live recordings and attacks; if the labels mean something else, give "
                    "--live with the label of live rows",
                )


def _require_polarity(sides: Mapping[str, Scores]) -> None:
    """Check that higher scores seem to mean live, on the rows to judge and on those for the threshold."""
    videos = {what: scores.per_video() for what, scores in sides.items()}
    area = {what: rates.auc(scores.label, scores.score) for what, scores in videos.items()}
    low = [what for what, value in area.items() if value < TURNED_BELOW]
    if not low:
        return
    said = " and ".join(f"{100 * value:.1f} % on the {what}" for what, value in area.items())
    if len(low) < len(area) and max(area.values()) > 1 - TURNED_BELOW:
        raise DataError(
            f"AUC is {said} if a higher score means live, so the two splits may not have the same sign",
            "if one of them has scores that are higher for attacks, turn these; if the model is that bad, give "
            "--higher-is live",
        )
    raise DataError(
        f"AUC is {said} if a higher score means live, so the scores seem to be higher for attacks",
        "if they are, give --higher-is attack; if the model is that bad, give --higher-is live",
    )
