"""Read YAML without guessing types: each scalar is first read as text, and the field's type gives its meaning.

YAML 1.1 reads `NO` as false, `0123` as octal 83, `1_1_1` as 111, `12:30` as 750, `2026-01-01` as a date and
`1e-3` as text. Names of domains and runs can look like all of these, so names are kept as written. A field that
is declared as a number accepts plain decimals: `0123` is 123, `1_000` is 1000, `1e-3` is 0.001; `0x10` and
`12:30` are refused.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel

NULLS = ("", "~", "null", "Null", "NULL")  # mean None in an optional field; elsewhere they are texts
_NUMBER = re.compile(r"[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"[+-]?\.?inf", re.IGNORECASE)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which reads every scalar as text, except the merge key `<<`."""

    yaml_implicit_resolvers = {  # noqa: RUF012 -- yaml's own class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:merge"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                problem = f"found the key {key.value!r} twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


def read_words(text: str) -> Any:
    """Parse YAML into mappings, lists and texts; an empty document is None.

    Raises:
        yaml.YAMLError: the text is not YAML, or a mapping contains a key twice.
    """
    return yaml.load(text, _Loader)


def read_documents(text: str) -> list[Any]:
    """Parse a text of several YAML documents, which lines `---` separate; an empty document is left out.

    Raises:
        yaml.YAMLError: see `read_words`.
    """
    return [document for document in yaml.load_all(text, _Loader) if document is not None]


def typed(value: Any, kind: Any) -> Any:
    """Convert the texts in `value` to the types that `kind` declares.

    Args:
        value: mappings, lists and texts, from `read_words`.
        kind: a pydantic model, a dataclass, or the type of one of their fields.

    Returns:
        The same tree with converted values. A text that does not fit its type is kept, so that pydantic can
        report it with the field's name.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return typed(value, parts[0])
    if origin in (Union, UnionType):
        inner = [part for part in parts if part is not NoneType]
        return None if len(inner) < len(parts) and value in NULLS else typed(value, inner[0])
    if isinstance(value, Mapping):
        return {key: typed(item, _field(kind, key)) for key, item in value.items()}
    if isinstance(value, list):
        items = parts[:1] * len(value) if parts[1:] == (...,) else (*parts, *([str] * len(value)))
        return [typed(item, part) for item, part in zip(value, items, strict=False)]
    return _scalar(value, kind) if isinstance(value, str) else value


def _field(kind: Any, key: Any) -> Any:
    """Return the type of a field of a section, or of the values of a mapping; `str` if none is declared."""
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, BaseModel)):
        return get_type_hints(kind, include_extras=True).get(key, str)
    return get_args(kind)[1] if get_origin(kind) in (dict, Mapping) else str


def _scalar(text: str, kind: Any) -> Any:
    if kind is int:
        return _integer(text)
    if kind is float:
        return _float(text)
    if get_origin(kind) is Literal:
        return next((option for option in get_args(kind) if str(option) == text), text)
    return text


def _integer(text: str) -> Any:
    number = _float(text)
    if isinstance(number, str) or number % 1 != 0:
        return text
    return int(text) if re.fullmatch(r"[+-]?[\d_]+", text) else int(number)


def _float(text: str) -> Any:
    """Return the number that a text is, or the text itself if it is not a number."""
    try:  # the pattern allows some underscores that Python refuses, such as in `1__0`
        if _NUMBER.fullmatch(text):
            return float(text)
        return float(text.replace(".", "")) if _INFINITE.fullmatch(text) else text
    except ValueError:
        return text
