"""Name the people of a label table, and check that no person is in two splits."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.ingest.layouts.layout import share
from rfmeta_dist.ingest.layouts.table import Line, Table
from rfmeta_dist.ingest.layouts.words import SPLITS as SPLIT_WORDS
from rfmeta_dist.ingest.layouts.words import alike
from rfmeta_dist.ingest.recording import Recording

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NUMBER = re.compile(r"(\d+)(?:\.0+)?")
_TRAIN, _VALIDATION = 0.6, 0.2  # shares of the people if the table gives no splits; the others are for test
_STEM = 48  # number of characters of a text that are kept in a name made from it
_SAY_WHO = "write a name or number of the person shown; it is needed so that no person is in two splits"
_ONE_SPLIT = "put each person in one split: people in the training must not be in the test"
_ONE_SPELLING = (
    "write the name of one person in one way; two people need names that differ by more than capitals, "
    "accents, spaces, dashes or leading zeros"
)


class People:
    """Name people and assign each to one split: the one in the table, or one chosen by a hash of the name.

    Args:
        table: the label table.
        domain: prefix of the names of its people.
    """

    def __init__(self, table: Table, domain: str) -> None:
        self.domain = domain
        self._gives_splits = table.gives("split")
        # Maps the normal form of a name (`alike`) to all its spellings, each with its split and its first line.
        self._people: dict[str, dict[str, tuple[Split, Line]]] = {}

    def name(self, line: Line) -> str:
        """Return the name of the person of a line, `{domain}-…`. Raises DataError if the cell is empty."""
        value, said = line.cells["subject"], line.said["subject"]
        if not value:
            raise line.wrong(
                "subject",
                f"'{said}' counts as an empty cell, not as a name" if said else "the cell is empty",
                remedy=_SAY_WHO + ("; if a person is really called that, write another name" if said else ""),
            )
        number = _NUMBER.fullmatch(value)
        # Spreadsheets change 007 to 7, and 7 to 7.0 if a cell of the column is empty. It is still the same
        # person.
        return f"{self.domain}-{int(number[1]) if number else fit(value)}"

    def split(self, line: Line, name: str) -> Split:
        """Return the split of a person.

        Args:
            line: a line with the person.
            name: what `name` returns for the line.

        Raises:
            DataError: the cell is not a split, or another line has the person in another split, under this
                spelling of the name or another.
        """
        short = name.removeprefix(f"{self.domain}-")
        split = line.choice("split", SPLIT_WORDS) if self._gives_splits else _deal(short)
        spellings = self._people.setdefault(alike(line.cells["subject"]), {})
        for spelling, (elsewhere, first) in spellings.items():
            if elsewhere != split:
                raise _in_two_splits(line, split, first, elsewhere, same=spelling == name)
        spellings.setdefault(name, (split, line))
        return split

    def notes(self, recordings: Sequence[Recording]) -> list[str]:
        """Return a line for each decision about people that the table does not make itself."""
        # Use the names of the samples, so that erasing a person later also finds the name in these notes.
        several = [", ".join(spellings) for spellings in self._people.values() if len(spellings) > 1]
        notes = [f"names that differ in their spelling alone count as different people: {'; '.join(several)}"]
        return (notes if several else []) + ([] if self._gives_splits else [_dealt(recordings)])


def fit(text: str, whole: str = "") -> str:
    """Return the text if it is a valid name, else a name made from it that ends with a hash of the whole text.

    Args:
        text: the text to make a name from.
        whole: the text to hash; `text` if empty.
    """
    text = unicodedata.normalize("NFC", text)
    if _NAME.fullmatch(text):
        return text
    whole = unicodedata.normalize("NFC", whole or text)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", text.replace("/", "-")).lstrip("_-")[-_STEM:].lstrip("_-")
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}".lstrip("-")


def _in_two_splits(line: Line, split: Split, first: Line, elsewhere: Split, *, same: bool) -> DataError:
    here, there = line.cells["subject"], first.cells["subject"]
    if same:
        return line.wrong(
            "split", f"'{here}' is in {split} here but in {elsewhere} elsewhere", first, _ONE_SPLIT
        )
    where = f"'{here}' is in {split} and '{there}' in {elsewhere}"
    return line.wrong("subject", f"{where}, but these are two spellings of one name", first, _ONE_SPELLING)


def _deal(name: str) -> Split:
    dealt = share(name)
    if dealt < _TRAIN:
        return "train"
    return "validation" if dealt < _TRAIN + _VALIDATION else "test"


def _dealt(recordings: Sequence[Recording]) -> str:
    people = {split: len({r.subject for r in recordings if r.split == split}) for split in SPLITS}
    numbers = ", ".join(f"{split} {count}" for split, count in people.items())
    how = f"people are dealt out 60/20/20 by a hash of their names ({numbers})"
    lacking = "" if all(people.values()) else "; a part without people needs a column split"
    return f"the table gives no splits: {how}{lacking}"
