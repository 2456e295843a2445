"""Check the rows of one or two tables of scores together, and make `Scores` of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NoReturn

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.evaluation import vocabulary
from rfmeta_dist.evaluation.scores import Scores, coded
from rfmeta_dist.evaluation.tables import Column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.core.types import Split, Unit
    from rfmeta_dist.evaluation.scores import Names
    from rfmeta_dist.evaluation.tables import Table

Side = Literal["live", "attack"]
_APART = "write each frame's number in a column frame, or remove the second row"


@dataclass(frozen=True)
class Reading:
    """How to understand tables of scores.

    Attributes:
        columns: for some roles of `vocabulary.ROLES`, the name of the column; "" if it is not to be used.
        live: the labels of live rows; empty to understand the usual words.
        higher_is: what a higher score means. None for live, after checking that AUC agrees.
        target: the domain whose rows are judged, whatever their split. None to judge the rows of split `test`.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    live: Sequence[str] = ()
    higher_is: Side | None = None
    target: str | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one or two tables, one after the other, as names.

    Attributes:
        tables: the tables.
        columns: `video`, `subject`, `attack_type`, `split`, `domain` of all rows; and `frame` or `key` if every
            table has it.
        score: as written.
        people: True if the tables name the people shown.
    """

    tables: Sequence[Table]
    columns: Mapping[str, Names]
    score: NDArray[np.float64]
    people: bool

    @classmethod
    def of(cls, given: Sequence[tuple[Table, Split | None]], reading: Reading) -> Rows:
        """Return the rows of tables, each with the split of all its rows, or None if its column decides."""
        import numpy as np

        read = [table for table, _ in given]
        if reading.target is not None and not all("domain" in table.columns for table in read):
            raise DataError(
                f"the rows of domain {reading.target} are to be judged, but there is no column domain",
                "say which column it is: --column domain=NAME; or leave --target out",
            )
        blank = Column([""], np.zeros(0, np.int64))
        people = all(any(table.columns.get("subject", blank).texts) for table in read)
        columns = {
            "attack_type": np.concatenate([vocabulary.kinds(table, reading.live).names() for table in read]),
            "split": np.concatenate([vocabulary.splits(table, split).names() for table, split in given]),
        }
        for role in ("video", "domain", "frame", "key", *(("subject",) if people else ())):
            if all(role in table.columns for table in read):
                columns[role] = np.concatenate([_named(table, role) for table in read])
        if people and "domain" in columns:  # a person's name is unique only within a domain
            pairs = zip(columns["domain"].tolist(), columns["subject"].tolist(), strict=True)
            columns["subject"] = _joined(pairs)
        for role in ("subject", "domain"):
            columns.setdefault(role, np.full(len(columns["video"]), "", np.object_))
        return cls(read, columns, np.concatenate([table.score for table in read]), people)

    def where(self, index: int) -> str:
        """Return which row an index is, for errors."""
        for table in self.tables:
            if index < len(table):
                return f"row {table.row[index]} of {table.name}"
            index -= len(table)
        raise IndexError(index)

    def refuse(self, one: int, other: int, found: str, remedy: str) -> NoReturn:
        """Raise a DataError about two rows."""
        first, second = sorted((int(one), int(other)))
        raise DataError(f"{self.where(first)} and {self.where(second)} {found}", remedy)

    def require_finite(self) -> None:
        """Check that scores are numbers, and that no row of bob's columns compares two people."""
        import numpy as np

        bad = np.flatnonzero(~np.isfinite(self.score))
        if len(bad):
            more = f", and so have {len(bad) - 1:,} other rows" if len(bad) > 1 else ""
            found = f"has the score {self.score[bad[0]]}, which is not a finite number{more}"
            raise DataError(
                f"{self.where(int(bad[0]))} {found}",
                "give every row a finite score; or leave these rows out, and report how many they were",
            )
        for table in self.tables:
            mixed = (
                set(table.columns["subject"].texts) & set(table.columns["attack_type"].texts)
                if table.bob
                else ()
            )
            for person in mixed:
                table.refuse(
                    int(table.columns["attack_type"].rows(person)[0]),
                    f"compares a person with {person}, who is another person and no attack",
                    "give scores of live recordings and attacks (bob's spoof scores), not of impostors",
                )

    def require_units(self) -> tuple[Unit, ...]:
        """Return the units of the rows, after checking that no two rows are of one frame or of one video."""
        import numpy as np

        video = self._videos()
        if len(np.unique(video)) == len(video):
            return ("video",)
        frame = next((role for role in ("frame", "key") if role in self.columns), None)
        if frame is None:
            if all(table.bob for table in self.tables):
                return ("frame", "video")
            one, other = _twice(video)
            found = f"are both of video {self.columns['video'][one]}, and no column says which frames they are"
            self.refuse(one, other, found, _APART)
        names, code = coded(self.columns[frame])
        pair = _twice(video * len(names) + code)
        if pair:
            found = f"are both of {frame} {names[code[pair[0]]]} of video {self.columns['video'][pair[0]]}"
            self.refuse(pair[0], pair[1], found, "remove the second row" if frame == "key" else _APART)
        return ("frame", "video")

    def require_agreement(self) -> None:
        """Check that the rows of a recording agree on everything but the frame."""
        import numpy as np

        _, first, group = np.unique(self._videos(), return_index=True, return_inverse=True)
        for role, what in (("attack_type", "label"), ("subject", "subject"), ("split", "split")):
            column = self.columns[role]
            mixed = np.flatnonzero(column != column[first][group])
            if len(mixed):
                at, before = mixed[0], first[group][mixed[0]]
                said = f"are of video {self.columns['video'][at]}, but their {what} differs: "
                self.refuse(
                    before,
                    at,
                    said + " and ".join(sorted((column[before], column[at]))),
                    "correct the wrong row; if two recordings have one name, make the names differ, such as by "
                    "writing the person before it",
                )

    def sides(self, target: str | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which rows are judged, and which choose the threshold."""
        split, domain = self.columns["split"], self.columns["domain"]
        if target is None:
            test: NDArray[np.bool_] = split == "test"
        else:
            test = domain == target
            if not test.any():
                raise DataError(
                    f"no row is of domain {target}; the domains are {', '.join(coded(domain)[0][:10])}",
                    "correct --target",
                )
        if not test.any():
            raise DataError(
                f"no row of {self.tables[0].name} has the split test; the splits are "
                f"{', '.join(coded(split)[0])}",
                "write test as the split of the rows to judge; or judge all rows: --column split=",
            )
        return test, (split == "validation") & ~test

    def require_apart(self, test: NDArray[np.bool_], validation: NDArray[np.bool_]) -> None:
        """Check that no person is among the rows to judge and among those that choose the threshold."""
        import numpy as np

        subject = self.columns["subject"]
        both = set(subject[test].tolist()) & set(subject[validation].tolist()) if self.people else set()
        if both:
            person = min(both)
            one, other = (int(np.flatnonzero(side & (subject == person))[0]) for side in (test, validation))
            self.refuse(
                one,
                other,
                f"are of one person, {person}, but of the test and the validation split, so figures would "
                f"flatter (people in both: {len(both)})",
                "split the recordings by people; if these are two people of one name, make the names differ; "
                "to judge without people and intervals: --column subject=",
            )

    def scores(self, *, turned: bool) -> Scores:
        """Return all rows as scores in which higher is more live."""
        import numpy as np

        columns = self.columns
        key = columns.get("key")
        if key is None:
            frames = columns.get("frame", columns["video"])
            key = _joined(
                zip(columns["domain"].tolist(), columns["video"].tolist(), frames.tolist(), strict=True)
            )
        kind = columns["attack_type"]
        return Scores(
            key,
            columns["domain"],
            columns["split"],
            columns["subject"],
            columns["video"],
            kind,
            (kind == LIVE).astype(np.int64),
            -self.score if turned else self.score,
        )

    def _videos(self) -> NDArray[np.int64]:
        """Return a number for each row that is equal for rows of one recording."""
        names, video = coded(self.columns["video"])
        return coded(self.columns["domain"])[1] * len(names) + video


def _named(table: Table, role: str) -> Names:
    """Return the names in a column, after checking that no cell is empty."""
    column = table.columns[role]
    empty = column.rows("")
    if len(empty):
        remedy = f"write it in every row; or use the table without this column: --column {role}="
        if role == "video":
            remedy = "write the name of the recording in every row"
        table.refuse(int(empty[0]), f"has no {role} in the column {table.heads[role]}", remedy)
    return column.names()


def _joined(parts: Iterable[tuple[str, ...]]) -> Names:
    """Return the parts of each row joined by `/`; equal names are one object."""
    import numpy as np

    made: dict[str, str] = {}
    names = ["/".join(part) for part in parts]
    return np.array([made.setdefault(name, name) for name in names], np.object_)


def _twice(code: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the first two rows with an equal code, or nothing."""
    import numpy as np

    order = np.argsort(code, kind="stable")
    again = order[1:][code[order][1:] == code[order][:-1]]
    if not len(again):
        return ()
    other = int(again.min())
    return int(np.flatnonzero(code == code[other])[0]), other
