"""Choose which further columns of a label table are kept as facts about recordings, such as camera or room.

A column is kept if it groups recordings of several people, so that error rates can be compared between its
values. Names, notes and addresses, which stand for one person each, are thereby left out. A column that
describes people, such as gender, is kept only if the user names it, because such facts may be specially
protected by law.
"""

from __future__ import annotations

from collections.abc import Sequence

from rfmeta_dist.core.about import FIELDS, is_demographic
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.table import NAME, Table
from rfmeta_dist.ingest.layouts.words import plain

_MOST = 100  # distinct values of a column that is kept without being named
_LONGEST = 80  # characters of a value; longer ones are text that describes one recording


class Columns:
    """The further columns of a label table.

    Args:
        table: the label table.
        named: columns that the user asked to keep, whatever they hold.

    Attributes:
        hints: lines for the user: which columns were kept, which were left out, and why. Set by `facts`.

    Raises:
        DataError: the table has no column of a given name.
    """

    def __init__(self, table: Table, named: Sequence[str]) -> None:
        self._table = table
        self._named = {name.strip().lower() for name in named}
        self.hints: tuple[str, ...] = ()
        further = table.further()
        if absent := sorted(self._named - set(further)):
            has = f"it has {', '.join(further)}" if further else f"there are none in {NAME}"
            raise DataError(
                f"--with {absent[0]}: this is none of the further columns of {NAME}; {has}",
                "name a column of the table, other than those with a fixed meaning such as label and split",
            )

    def facts(self, subjects: Sequence[str]) -> list[dict[str, str]]:
        """Return the facts of each line: the values of the columns that are kept, without empty ones.

        Args:
            subjects: the name of the person of each line, in the order of the table.
        """
        columns = {name: self._spelled(name) for name in self._table.further()}
        people, single = [], []
        kept = {}
        for name, values in columns.items():
            if name not in self._named and is_demographic(name):
                people.append(name)
            elif name in self._named or _groups(name, values, subjects):
                kept[name] = values
            elif any(values):
                single.append(name)
        self.hints = tuple(_hints(list(kept), people, single))
        return [
            {name: values[row] for name, values in kept.items() if values[row]} for row in range(len(subjects))
        ]

    def _spelled(self, name: str) -> list[str]:
        """Return a column whose values are spelled alike if they differ in capitals, spaces or `.0` alone."""
        first: dict[str, str] = {}
        cells = [" ".join(line.cells[name].split()) for line in self._table.lines]
        # Spreadsheets turn 1 into 1.0 if a cell of the column is empty.
        return [first.setdefault(cell.casefold(), cell) for cell in map(_whole, cells)]


def _whole(cell: str) -> str:
    number = plain(cell)
    return number if number.isdecimal() else cell


def _groups(name: str, values: Sequence[str], subjects: Sequence[str]) -> bool:
    """Return True if most values of a column are shared by several people, and the values are few and short."""
    people: dict[str, set[str]] = {}
    for value, subject in zip(values, subjects, strict=True):
        if value:
            people.setdefault(value, set()).add(subject)
    if name in FIELDS:
        return bool(people)
    shared = sum(len(found) > 1 for found in people.values())
    return 0 < len(people) <= _MOST and 2 * shared >= len(people) and max(map(len, people)) <= _LONGEST


def _hints(kept: Sequence[str], people: Sequence[str], single: Sequence[str]) -> list[str]:
    """Return a line for each fate that columns had."""
    lines = []
    if kept:
        lines.append(f"{NAME}: kept as facts about recordings, to compare error rates: {', '.join(kept)}")
    if people:
        lines.append(
            f"{NAME}: left out, because they describe people: {', '.join(people)}. If you may process such "
            f"data, keep them by {_options(people)}; `rfmeta shards forget` erases them with the person"
        )
    if single:
        lines.append(
            f"{NAME}: left out, because most values belong to one person only, or they are many or long: "
            f"{', '.join(single)}. Keep them by {_options(single)}"
        )
    return lines


def _options(names: Sequence[str]) -> str:
    return " ".join(f'--with "{name}"' if " " in name else f"--with {name}" for name in names)
