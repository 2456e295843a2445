"""Read a table of anyone's scores from text (CSV, TSV, bob's columns) or Parquet, without judging its words.

Text is read in the calling thread by Python's csv module, a block of rows at a time. Each column is kept as its
distinct texts and one index per row, so a million rows take little more memory than the file. Arrow's reader of
CSV files is not used, because it starts threads (core/parquet.py says why that is avoided).

Rows are numbered as a spreadsheet shows them: the first row of a text file is 1, also if it names the columns.
The first row of a Parquet table is 1.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from array import array
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.parquet import column_names, metadata, read_parquet
from rfmeta_dist.evaluation.numerals import Numbers, is_number
from rfmeta_dist.evaluation.scores import SCORER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Index = NDArray[np.int64] | NDArray[np.int32]
    # Returns, for the names of a table's columns, the place of the column of each role.
    Choose = Callable[[Sequence[str]], dict[str, int]]

SCORE = "score"  # the role that every table has
_BOB = ("subject", "video", SCORE, "label", "attack_type")  # what bob's columns become
_BLOCK = 500  # rows that are Python lists at once. Larger blocks are slower, because they leave the cache.
_SAVE = "save it as text in CSV format with the encoding UTF-8, or as Parquet, and give that file"
_QUOTE = 'write a text that holds a quote as "…", with its quotes doubled'
_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, which Excel writes as «Unicode text»


class NoRowsError(DataError):
    """A table names its columns, and has no row."""


@dataclass(frozen=True, eq=False)
class Column:
    """N cells of text.

    Attributes:
        texts: the distinct texts, without spaces around them.
        code: N indices into `texts`.
    """

    texts: list[str]
    code: Index

    @classmethod
    def of(cls, texts: Sequence[str], code: Index) -> Column:
        """Return a column after removing spaces around texts, and joining texts that are then equal."""
        import numpy as np

        seen: dict[str, int] = {}
        place = np.array([seen.setdefault(text.strip(), len(seen)) for text in texts], np.int32)
        return cls(list(seen), code if len(seen) == len(texts) else place[code])

    def rows(self, text: str) -> Index:
        """Return the indices of the rows with this text, rising."""
        import numpy as np

        return (
            np.flatnonzero(self.code == self.texts.index(text))
            if text in self.texts
            else np.array([], np.int64)
        )

    def names(self) -> NDArray[np.object_]:
        """Return N strings; equal ones are one object."""
        import numpy as np

        every: NDArray[np.object_] = np.array(self.texts, np.object_)[self.code]
        return every


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a table of scores that are used.

    Attributes:
        name: the file's name, for errors.
        columns: the cells of each role that the table has, such as `video`; without the score.
        heads: what the file calls the column of each role.
        score: N numbers as written in the file; they may be infinite or not numbers.
        row: N numbers of rows, for errors.
        bob: True if the file has bob's columns, in which the frames of a recording have no number.
        scorer: the model that gave the scores (`Package.scorer`), which a run's scores.parquet tells; "" if
            the file does not say.
    """

    name: str
    columns: dict[str, Column]
    heads: dict[str, str]
    score: NDArray[np.float64]
    row: Index
    bob: bool = False
    scorer: str = ""

    def __len__(self) -> int:
        return len(self.score)

    def refuse(self, index: int, found: str, remedy: str) -> NoReturn:
        """Raise a DataError about one row."""
        raise DataError(f"row {self.row[index]} of {self.name} {found}", remedy)


def read(data: bytes, name: str, choose: Choose) -> Table:
    """Read a table from the bytes of a file. The kind of file is recognised by its content.

    Args:
        data: CSV or TSV in UTF-8 (or in UTF-16 with its mark) or bob's columns, plain or compressed by gzip; or
            Parquet.
        name: the file's name, for errors.
        choose: returns, for the names of the table's columns, which role is at which place; one is `score`.

    Raises:
        NoRowsError: the table has no row of scores.
        DataError: the file is empty or not such a table, a row has too many or too few cells, or a score is not
            a number.
    """
    try:
        table = (_parquet if data[:4] == b"PAR1" else _text)(data, name, choose)
    except UnicodeError as error:
        raise DataError(f"{name} is not text in UTF-8 ({error})", _SAVE) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{name} is damaged, so it cannot be uncompressed ({error})", "copy it again"
        ) from error
    except csv.Error as error:
        raise DataError(f"{name} is not a table in CSV format ({error})", _QUOTE) from error
    if not len(table):
        raise NoRowsError(f"{name} has no row of scores", "write a row for each frame or video below the names")
    return table


def _text(data: bytes, name: str, choose: Choose) -> Table:
    packed = data[:2] == b"\x1f\x8b"
    opened = gzip.GzipFile(fileobj=io.BytesIO(data)) if packed else io.BytesIO(data)
    start = opened.read(4096)
    wide = start[:2] in _MARKS
    if b"\0" in start and not wide:
        what = "an Excel workbook or another zip archive" if start[:2] == b"PK" else "a binary file"
        raise DataError(f"{name} is {what}, not text", _SAVE)
    opened.seek(0)
    lines = io.TextIOWrapper(opened, encoding="utf-16" if wide else "utf-8-sig", newline="")
    head = next((line for line in lines if line.strip() and not _names_delimiter(line)), "")
    if not head:
        raise DataError(f"{name} is empty", "give a file whose first row names the columns")
    lines.seek(0)
    if _is_bob(head):
        return _collect(name, _BOB, map(_from_bob, lines), 0, choose)
    rows = csv.reader(lines, delimiter=max(",;\t|", key=head.count), strict=True)
    for number, cells in enumerate(rows, 1):  # noqa: B007
        if not (_blank(cells) or _names_delimiter(cells[0])):
            break
    return _collect(name, [cell.strip() for cell in cells], rows, number, choose)


def _names_delimiter(line: str) -> bool:
    """Return True for the line `sep=;` before the header, by which Excel is told the delimiter."""
    return line.strip().lower().startswith("sep=")


def _blank(cells: Sequence[str]) -> bool:
    return not any(map(str.strip, cells))


def _is_bob(line: str) -> bool:
    """Return True for a line of bob's four columns, `claimed_id real_id test_label score`, or five.

    The five columns have a `model_label` after the first.
    """
    cells = line.split()
    return len(cells) in (4, 5) and is_number(cells[-1])


def _from_bob(line: str) -> list[str]:
    """Return the cells of `_BOB`. A recording is live if the person who is claimed is the real one.

    For an attack, `real_id` is `attack` or the attack's type (bob.pad.base, `bob.bio.base.score.load`).
    """
    cells = line.split()
    if len(cells) not in (4, 5):
        return cells
    claimed, real, label, score = cells[0], *cells[-3:]
    return [claimed, label, score, *(("live", "") if claimed == real else ("attack", real))]


def _collect(name: str, header: Sequence[str], rows: Iterator[list[str]], number: int, choose: Choose) -> Table:
    """Return the chosen columns of all rows after the header, which is row `number`."""
    import numpy as np

    places = choose(header)
    score = places.pop(SCORE)
    seen: dict[str, dict[str, int]] = {role: {} for role in places}
    codes = {role: array("i") for role in places}
    numbers, found = array("q"), Numbers()
    while block := list(islice(rows, _BLOCK)):
        counted = range(number + 1, number + 1 + len(block))
        number += len(block)
        if set(map(len, block)) != {len(header)} or not all(row[score] for row in block):
            kept = [pair for pair in zip(counted, block, strict=True) if not _blank(pair[1])]
            _require_width(name, len(header), kept)
            counted, block = [row for row, _ in kept], [cells for _, cells in kept]  # type: ignore[assignment]
        numbers.extend(counted)
        found.add([row[score] for row in block])
        for role, place in places.items():
            known = seen[role]
            codes[role].extend([known.setdefault(row[place], len(known)) for row in block])
    # The arrays are not copied: with a million rows, each copy would take some of what the file takes.
    columns = {role: Column.of(list(seen[role]), np.frombuffer(codes[role], np.int32)) for role in places}
    heads = {role: header[place] for role, place in places.items()}
    row = np.frombuffer(numbers, np.int64)
    values = found.finish(Table(name, {}, {}, np.zeros(len(row)), row).refuse)
    return Table(name, columns, heads, values, row, bob=header is _BOB)


def _require_width(name: str, width: int, rows: list[tuple[int, list[str]]]) -> None:
    for number, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"row {number} of {name} has {len(cells)} cells, but its columns are {width}",
                "give every row a cell for every column; put a text that contains the delimiter in quotes",
            )


def _parquet(data: bytes, name: str, choose: Choose) -> Table:
    import numpy as np
    import pyarrow as pa

    try:
        header = column_names(data)
        places = choose(header)
        whole = read_parquet(data, [header[place] for place in places.values()])
    except (pa.ArrowException, OSError) as error:
        found = f"{name} begins like a Parquet table, but cannot be read ({error})"
        raise DataError(found, "copy the file again, or write it again") from error
    heads = {role: header[place] for role, place in places.items()}
    row = np.arange(1, whole.num_rows + 1)
    column = {role: whole[head] for role, head in heads.items()}
    empty = Table(name, {}, {}, np.zeros(len(row)), row)
    score = _score(column.pop(SCORE), empty)
    columns = {role: _names(cells, name, heads[role]) for role, cells in column.items()}
    heads.pop(SCORE)
    return Table(name, columns, heads, score, row, scorer=metadata(data, SCORER))


def _score(cells: pa.ChunkedArray, table: Table) -> NDArray[np.float64]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells, kind = cells.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        found = Numbers()
        found.add(["" if cell is None else cell for cell in cells.to_pylist()])
        return found.finish(table.refuse)
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"the scores of {table.name} are of type {kind}", "write the scores as numbers")
    if cells.null_count:
        first = int(np.flatnonzero(cells.is_null().to_numpy())[0])
        table.refuse(first, "has no score", "give every row a finite score, or leave the row out")
    values: NDArray[np.float64] = pc.cast(cells, pa.float64(), safe=False).to_numpy()
    return values


def _names(cells: pa.ChunkedArray, name: str, head: str) -> Column:
    """Return a column of names. Numbers become their texts, and cells without a value become empty."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_floating(cells.type):  # pandas makes floats of whole numbers if a cell is empty
            cells = pc.cast(cells, pa.int64())
        if pa.types.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        text = pc.fill_null(pc.cast(cells, pa.string()), "")
    except pa.ArrowException as error:
        found = f"the column {head} of {name} is of type {cells.type}, not text or whole numbers ({error})"
        raise DataError(" ".join(found.split()), f"write the column {head} as text") from error
    coded = text.dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0) if coded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    return Column.of(coded.dictionary.to_pylist(), np.asarray(coded.indices, np.int64))
