"""Find the first mistake in a configuration or a card among pydantic's errors, and put it into plain words."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydantic import ValidationError

Location = tuple[int | str, ...]
LONGEST = 60  # characters of a value that a message shows
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # of models, of dataclasses


@dataclass(frozen=True)
class Mistake:
    """One mistake that a user made.

    Attributes:
        kind: the field is `unknown` or `missing`; it has a `value` that does not do; or our own validator
            `explained` it.
        location: the field's place in the tree.
        name: the same with dots; empty for the whole.
        value: as JSON, cut to `LONGEST`.
        type: pydantic's name for the fault.
        message: pydantic's words; of an explained mistake, the problem.
        remedy: of an explained mistake.
    """

    kind: Literal["unknown", "missing", "value", "explained"]
    location: Location
    name: str
    value: str
    type: str
    message: str
    remedy: str = ""


def first(error: ValidationError) -> Mistake:
    """Return the mistake to report. A misspelt field is missing too; then the misspelling is reported."""
    found = min(error.errors(), key=lambda e: e["type"] not in _UNKNOWN)
    location: Location = found["loc"]
    name = ".".join(str(part) for part in location if part != "[key]")
    value, kind = json.dumps(found["input"], default=str), found["type"]
    shown = value if len(value) <= LONGEST else value[: LONGEST - 3] + "..."
    message = found["msg"].removeprefix("Value error, ")
    if kind in _UNKNOWN:
        return Mistake("unknown", location, name, shown, kind, message)
    if kind in ("missing", "missing_argument"):
        return Mistake("missing", location, name, shown, kind, message)
    problem, separator, remedy = message.partition(";")
    if kind == "value_error" and separator:
        return Mistake("explained", location, name, shown, kind, problem, remedy.strip())
    return Mistake("value", location, name, shown, kind, message)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the remedy for an unknown name: the one that was probably meant, or all that are known."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
