"""Read numbers as people write them: with a decimal point, a decimal comma, or in scientific notation."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    import numpy as np
    from numpy.typing import NDArray

    Refuse = Callable[[int, str, str], NoReturn]

# Python also reads `1_0` as 10, and digits of other scripts. In a table these are more likely to be mistakes.
_PLAIN = re.compile(
    r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE
)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?|[+-]?\d+,(?:[eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(
    r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII
)  # 1,234 may be a decimal comma, or a separator of thousands
_WRITE = "write each score as a number such as 0.734 or -1.2e-3, without a separator of thousands"


def is_number(text: str) -> bool:
    """Return True if a text is a number in ASCII digits with a decimal point or none, or infinity; not NaN."""
    return bool(_PLAIN.fullmatch(text)) and "nan" not in text.lower()


class Numbers:
    """The cells of a column of numbers, added block by block."""

    def __init__(self) -> None:
        self._values = array("d")
        self._unread: dict[int, str] = {}

    def add(self, cells: Sequence[str]) -> None:
        """Add some cells. Those that are not numbers with a decimal point, or no numbers, are kept as text."""
        together = "".join(cells)
        if together.isascii() and "_" not in together:  # all that Python then reads is a number (see `_PLAIN`)
            try:
                self._values.extend(list(map(float, cells)))
            except ValueError:
                pass
            else:
                return
        for cell in map(str.strip, cells):
            plain = bool(_PLAIN.fullmatch(cell))
            if not plain:
                self._unread[len(self._values)] = cell
            self._values.append(float(cell) if plain else 0.0)

    def finish(self, refuse: Refuse) -> NDArray[np.float64]:
        """Return N numbers, which may be infinite or not numbers if a cell says so.

        If cells have a comma, they are read as decimal commas, but only if this is certain: no other cell has a
        decimal point, and not every comma could be a separator of thousands, as in `1,234`.

        Args:
            refuse: raises the error about a row, given its index, what was found, and what to do.
        """
        import numpy as np

        values = np.frombuffer(self._values, np.float64)
        for index, cell in self._unread.items():
            if not _COMMA.fullmatch(cell):
                refuse(
                    index, f"has the score {cell!r}, which is not a number" if cell else "has no score", _WRITE
                )
        if self._unread:
            at = np.fromiter(self._unread, np.int64, len(self._unread))
            self._require_certain(values, at, refuse)
            values[at] = [float(cell.replace(",", ".")) for cell in self._unread.values()]
        return values

    def _require_certain(self, values: NDArray[np.float64], commas: NDArray[np.int64], refuse: Refuse) -> None:
        import numpy as np

        first = int(commas[0])
        cell = self._unread[first]
        whole = values == np.round(values)
        if not whole.all():
            point = int(np.flatnonzero(~whole)[0])
            found = f"has the score {cell!r} with a comma, but another row has {values[point]} with a point"
            refuse(first, found, _WRITE)
        if all(map(_GROUPED.fullmatch, self._unread.values())):
            found = f"has the score {cell!r}, whose comma may be a decimal comma or a separator of thousands"
            refuse(first, found, "write each score with a decimal point")
