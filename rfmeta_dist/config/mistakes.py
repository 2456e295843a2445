"""Choose which of pydantic's errors about a configuration or a card to report, and describe it plainly."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]
LONGEST = 60  # characters of a value that a message shows
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")  # of models, of dataclasses


@dataclass(frozen=True)
class Mistake:
    """One mistake that a user made.

    Attributes:
        kind: `unknown` or `missing` field; `value` that is not allowed; or `explained` by a validator of ours.
        location: keys that lead to the field in the tree.
        name: the same, joined with dots; empty for the whole tree.
        value: the value as JSON, cut to `LONGEST` characters.
        type: pydantic's name for the type of error.
        message: pydantic's message; for an explained mistake, the problem that the validator states.
        remedy: the remedy that the validator states; empty for other kinds.
    """

    kind: Literal["unknown", "missing", "value", "explained"]
    location: Location
    name: str
    value: str
    type: str
    message: str
    remedy: str = ""


def first(error: ValidationError) -> Mistake:
    """Return the mistake to report: an unknown field first, since a misspelt field also counts as missing."""
    return _mistake(min(error.errors(), key=lambda e: e["type"] not in _UNKNOWN))


def mistakes(error: ValidationError) -> list[Mistake]:
    """Return all mistakes that pydantic found, in its order."""
    return [_mistake(found) for found in error.errors()]


def _mistake(found: ErrorDetails) -> Mistake:
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
    """Return the remedy for an unknown name: suggest the most similar known name, or list all known names."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of: {', '.join(known)}"
