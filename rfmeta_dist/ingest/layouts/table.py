"""Read the `labels.csv` of the folder layout. Errors name the line and the column."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.layout import read_bytes
from rfmeta_dist.ingest.layouts.words import is_blank, plain, stripped

NAME = "labels.csv"
_REQUIRED = ("path", "label", "subject")
_OPTIONAL = ("attack_type", "video", "split", "depth")
_MEANING = {  # what an empty cell means; in the other columns an empty cell is a mistake
    "attack_type": "attacks get the type other",
    "video": "clips are named after their paths",
    "split": "the table gives no split there",
    "depth": "depth is computed from the face's landmarks",
}
_SEPARATORS = ",;\t"  # spreadsheets use the list separator of the user's country
_DRIVE = re.compile(r"[A-Za-z]:")

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        number: number of the line in the file; the header is 1.
        cells: content by column. All columns are present, and empty where the file has none. A word that says
            that a cell is empty, such as `nan`, counts as empty.
        said: the content as the file has it, without surrounding spaces.
    """

    number: int
    cells: Mapping[str, str]
    said: Mapping[str, str]

    def wrong(
        self,
        column: str,
        problem: str,
        also: Line | None = None,
        remedy: str = "correct this cell of the table",
    ) -> DataError:
        """Return an error about a cell of this line, and of line `also` if the two contradict each other."""
        where = f"lines {also.number} and {self.number}" if also else f"line {self.number}"
        return DataError(f"{NAME}, {where}, column {column}: {problem}", remedy)

    def choice(self, column: str, choices: Mapping[str, T]) -> T:
        """Return what a cell means, in any spelling. Raises DataError if it is none of `choices`."""
        value = plain(self.cells[column])
        if value not in choices:
            raise self.wrong(
                column,
                f"'{self.said[column]}' is not one of {', '.join(choices)}",
                remedy="write one of these words in this cell",
            )
        return choices[value]

    def inside(self, column: str, root: Path) -> str:
        """Return a path below the table's folder, normalised. Raises DataError if it is not below it."""
        value = PurePosixPath(self.cells[column].replace("\\", "/"))
        if value.is_relative_to(root):
            value = value.relative_to(root)
        outside = value.is_absolute() or ".." in value.parts or _DRIVE.match(value.as_posix())
        if not value.name or outside:
            raise self.wrong(
                column,
                f"'{self.said[column]}' is not a path below the table's folder",
                remedy=f"write the path of a file below {root}, relative to that folder",
            )
        return value.as_posix()


@dataclass(frozen=True)
class Table:
    """The whole table."""

    lines: tuple[Line, ...]

    def gives(self, column: str) -> bool:
        """Return True if any line fills an optional column."""
        return any(line.cells[column] for line in self.lines)

    def further(self) -> list[str]:
        """Return the names of the columns that have no fixed meaning, in the order of the header."""
        header = self.lines[0].cells
        return [name for name in header if name and name not in _REQUIRED + _OPTIONAL]

    def blank_words(self) -> list[str]:
        """Return a note for each optional column that holds placeholders such as `N/A`.

        The note names the words and the first line, and says what follows from treating them as empty.
        """
        notes = []
        for column, meaning in _MEANING.items():
            found = [line for line in self.lines if line.said[column] and not line.cells[column]]
            words = ", ".join(f"'{word}'" for word in dict.fromkeys(line.said[column] for line in found))
            if found:
                where = f"line {found[0].number}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
                notes.append(
                    f"{NAME}, column {column}: {words} ({where}) counts as an empty cell, so {meaning}"
                )
        return notes


def read_table(root: Path) -> Table:
    """Read the table at the top of a source.

    Raises:
        DataError: the table is missing or empty, or a column or cell is missing.
        StorageError: the table cannot be read.
    """
    if not (root / NAME).is_file():
        raise DataError(
            f"the folder {root} has no {NAME}, the table that says what its files show",
            "write one that begins with the line path,label,attack_type,subject and has a line for each image "
            "or video, such as anna/photo.mp4,attack,print,anna; label is live or attack; the columns "
            "attack_type, video (the clip that an image is a frame of), split (train, validation or test) and "
            "depth (a depth image) are optional",
        )
    text = _decoded(read_bytes(root, NAME)).splitlines()
    separator = max(_SEPARATORS, key=text[0].count) if text else ","
    reader = csv.reader(text, delimiter=separator)
    try:
        header = _header(next(reader, []))
        lines = [_line(reader.line_num, header, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(
            f"{NAME}, line {reader.line_num} is not valid CSV: {error}",
            "correct the double quotes and separators of this line",
        ) from error
    if not lines:
        raise DataError(f"{NAME} has no lines below its header", "add one line for each video or image")
    return Table(tuple(lines))


def _decoded(data: bytes) -> str:
    """Decode the file as UTF-8, or as UTF-16 if it begins with the byte order mark of UTF-16."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{NAME}, line {line}: a character is not encoded as UTF-8", "save the table as CSV UTF-8"
        ) from error


def _filled(row: Sequence[str]) -> list[str]:
    """Return the cells without surrounding spaces, and without empty ones at the end, as spreadsheets add."""
    cells = [stripped(cell) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _header(row: list[str]) -> list[str]:
    header = [name.lower() for name in _filled(row)]
    lacking = [name for name in _REQUIRED if name not in header]
    twice = [name for name in header if name and header.count(name) > 1]
    if lacking or twice:
        what = f"lacks column {', '.join(lacking)}" if lacking else f"has column {twice[0]} twice"
        columns = ", ".join(_REQUIRED + _OPTIONAL)
        raise DataError(f"{NAME}, line 1: the header {what}", f"name each column once, out of {columns}")
    return header


def _line(number: int, header: list[str], row: list[str]) -> Line:
    cells = _filled(row)
    if len(row) < len(header) or len(cells) > len(header):
        raise DataError(
            f"{NAME}, line {number}: {len(row)} cells, but the header has {len(header)}",
            "give this line a cell for each column of the header, if need be an empty one, and put cells that "
            "hold the separator in double quotes",
        )
    cells += [""] * (len(header) - len(cells))
    said = dict.fromkeys(_REQUIRED + _OPTIONAL, "") | dict(zip(header, cells, strict=True))
    return Line(number, {name: "" if is_blank(cell) else cell for name, cell in said.items()}, said)
