"""Read the face annotations that data sets ship, as one box per frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.layouts.layout import read_text
from rfmeta_dist.ingest.layouts.words import is_blank
from rfmeta_dist.ingest.recording import Box, Boxes

# The box around a face in distances between the eyes, as face detectors draw it: width, height, and how far its
# upper side lies above the eyes.
_EYES_WIDTH, _EYES_HEIGHT, _EYES_ABOVE = 2.2, 2.9, 1.1


def read_boxes(root: Path, path: str, parse: Callable[[str], Boxes]) -> Boxes:
    """Read an annotation file.

    Raises:
        DataError: a line cannot be understood; the error names the file and the line.
        StorageError: the file cannot be read.
    """
    try:
        return parse(read_text(root, path))
    except ValueError as error:
        raise DataError(
            f"face annotation {path}, {error}",
            "restore the file from the data set, or remove it: faces are then located by the face detector",
        ) from error


def sized(text: str) -> Boxes:
    """Read lines `frame x y w h`."""
    return _kept((int(row[0]), _box(row[1:5])) for row in _rows(text, None, 5) if row)


def cornered(text: str) -> Boxes:
    """Return the boxes in lines `frame,left,top,right,bottom,…`, by frame; further columns are ignored."""
    return _kept((int(row[0]), _spanned(row[1:5])) for row in _rows(text, ",", 5) if row)


def cornered_lines(text: str) -> Boxes:
    """Read lines `left top right bottom`, the first for frame 0."""
    return _kept((frame, _spanned(row)) for frame, row in enumerate(_rows(text, None, 4)) if row)


def unnumbered(text: str) -> Boxes:
    """Read the single line `x y w h score` of a still image, as frame 0."""
    return dict(list(_kept((0, _box(row[:4])) for row in _rows(text, None, 4) if row).items())[:1])


def eyed(text: str) -> Boxes:
    """Read lines `frame,x_right,y_right,x_left,y_left` with the eyes' centres; return boxes around them."""
    return _kept((int(row[0]), _around(row[1:5])) for row in _rows(text, ",", 5) if row)


def _rows(text: str, separator: str | None, columns: int) -> Iterator[list[float]]:
    """Yield the numbers of each line that is not blank. The last four of `columns` describe a face.

    A line gives no numbers if all of these four are words for an empty cell: no face was found in its frame.
    Raises ValueError for any other line with fewer numbers than `columns`; the error names the line.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(separator)]
        if len(cells) >= columns and all(map(is_blank, cells[columns - 4 : columns])):
            yield []
            continue
        try:
            row = [float(cell) for cell in cells if cell]
        except ValueError:
            row = []
        if len(row) < columns or not all(map(math.isfinite, row)):
            raise ValueError(f"line {number}: {line[:40]!r} does not hold {columns} numbers")
        yield row


def _kept(boxes: Iterator[tuple[int, Box]]) -> Boxes:
    """Return the boxes without empty ones, which say that no face was found."""
    return {frame: box for frame, box in boxes if box[2] > 0 and box[3] > 0}


def _box(row: list[float]) -> Box:
    x, y, width, height = row
    return x, y, width, height


def _spanned(row: list[float]) -> Box:
    left, top, right, bottom = row
    return left, top, right - left, bottom - top


def _around(row: list[float]) -> Box:
    (right_x, right_y), (left_x, left_y) = row[:2], row[2:]
    apart = math.hypot(left_x - right_x, left_y - right_y)
    x, y = (left_x + right_x) / 2, (left_y + right_y) / 2
    width, height = _EYES_WIDTH * apart, _EYES_HEIGHT * apart
    return x - width / 2, y - _EYES_ABOVE * apart, width, height
