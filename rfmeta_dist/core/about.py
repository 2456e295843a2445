"""Write and read what a data set tells about a recording, such as its device, session and light, as one text.

The text is canonical, so that equal facts are equal texts: a JSON object of strings, sorted by name, without
spaces and without empty values. The empty text means that nothing is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from rfmeta_dist.core.errors import DataError

# The names that data sets share. CelebA-Spoof's `environment` and a user's columns are further ones.
FIELDS = ("device", "session", "light", "support", "quality", "medium", "distance")
# A column describes people if one of these words is a part of its name, such as `skin_tone` or `Age group`.
_DEMOGRAPHIC = frozenset(
    (
        *("gender", "sex", "sexes", "age", "ages", "birth", "birthday", "birthdate", "birthyear", "dob", "yob"),
        *("ethnicity", "ethnic", "ethnicities", "race", "racial", "ancestry", "nationality", "religion"),
        *("skin", "skintone", "skintype", "skincolor", "skincolour", "fitzpatrick", "complexion"),
        *("agegroup", "agerange", "disability", "demographic", "demographics"),
    )
)


def to_text(facts: Mapping[str, str]) -> str:
    """Return facts about a recording as canonical text; empty values are left out.

    Args:
        facts: values by name, such as `{"device": "phone-2", "session": "1"}`.
    """
    known = {name: value for name, value in facts.items() if value}
    return json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False) if known else ""


def from_text(text: str) -> dict[str, str]:
    """Return the facts in a text that `to_text` wrote; {} for the empty text.

    Raises:
        DataError: the text is not a JSON object of strings.
    """
    if not text:
        return {}
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or not all(isinstance(value, str) for value in facts.values()):
        raise DataError(
            f"what is known of a recording, {text[:60]!r}, is not a JSON object of texts",
            'write it like {"device":"phone-2","session":"1"}, or leave the cell empty',
        )
    return facts


def is_demographic(name: str) -> bool:
    """Return True if a column's name says that the column describes people, such as `gender` or `skin tone`."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return not _DEMOGRAPHIC.isdisjoint(re.split(r"[\W_\d]+", words.casefold()))
