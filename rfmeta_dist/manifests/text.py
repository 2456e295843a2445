"""Read YAML as Kubernetes does, and keep the line of each field and list item.

Kubernetes turns YAML 1.1 into JSON. `yes` and `on` are booleans, `1e3` and `0o17` are numbers, and a date is a
text. PyYAML reads `1e3` as text, `12:30` as 750 and a date as a date, so it cannot be used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from rfmeta_dist.manifests.finding import Path

DEEPEST, LARGEST = 60, 100_000  # levels, and values of one document; aliases count each time they are used
_TAG = "tag:yaml.org,2002:"
_BOOL = {
    **dict.fromkeys(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
# PyYAML repeats the name of an unknown alias, which may be a password that begins with *.
_QUOTED = re.compile(r"(?<=alias|nchor|andle) '.*", re.DOTALL)
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the types of Kubernetes. It is used to compose nodes, not to construct objects."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 -- yaml's own


for _name, _pattern in (
    ("merge", re.compile(r"<<")),
    ("null", re.compile(r"~|null|Null|NULL|")),
    ("bool", re.compile("|".join(_BOOL))),
    ("int", _INT),
    ("float", re.compile(f"{_FLOAT.pattern}|{_INFINITE.pattern}")),
):
    # The resolver uses `match`, so the pattern must reach the end of the text.
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_pattern.pattern})$", re.ASCII), None)


class Unreadable(Exception):  # noqa: N818 -- the word fits the sentence in which it is raised
    """A text, or one document in it, cannot be read.

    Attributes:
        line: line of the place, counted from 1; None if not known.
        problem: what is wrong.
        remedy: what to change.
    """

    def __init__(self, line: int | None, problem: str, remedy: str) -> None:
        super().__init__(line, problem, remedy)
        self.line, self.problem, self.remedy = line, problem, remedy


@dataclass
class Document:
    """One YAML document.

    Attributes:
        value: mappings with text keys, lists, texts, numbers, booleans and None.
        lines: line of each field and list item by its path, counted from 1; () is the document itself.
        blocks: line above the first line of each text that stands after `|`, by its path.
    """

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    blocks: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """Return the line of the place at `path`; of the nearest place above, where the text lacks it.

        A path may lead into a text that is YAML itself, such as runtimeEnvYAML.
        """
        length = len(path)
        while length and path[:length] not in self.lines:
            length -= 1
        here, rest = path[:length], path[length:]
        if rest and here in self.blocks:
            inner = first(_text_at(self.value, here))
            below = inner.line(rest) if inner else None
            return self.blocks[here] + (below or 0)
        return self.lines.get(here)


@dataclass
class _Reader:
    lines: dict[Path, int] = field(default_factory=dict)
    blocks: dict[Path, int] = field(default_factory=dict)
    values: int = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.values += 1
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > DEEPEST or self.values > LARGEST:
            raise _unreadable(
                node, "the document is nested too deeply or is too large", "write it without aliases"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.style == "|":
            self.blocks[path] = node.start_mark.line + 1
        return _scalar(node)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[yaml.MappingNode] = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merged += _to_merge(value)
                continue
            if not isinstance(key, yaml.ScalarNode) or key.tag == _TAG + "null":
                raise _unreadable(key, "a field's name is not a text", "write `name: value`")
            if key.value in found:
                raise _unreadable(key, "the same field stands here twice", "remove one of the two")
            self.lines[*path, key.value] = key.start_mark.line + 1
            found[key.value] = self.value(value, (*path, key.value))
        for other in merged:  # fields of the mapping itself, and of the first of several, win
            self.values += 1
            below = _Reader(values=self.values)
            for name, value in below.value(other, path).items():
                if name not in found:
                    found[name] = value
                    start = (*path, name)
                    self.lines |= {at: line for at, line in below.lines.items() if at[: len(start)] == start}
            self.values = below.values
        return found


def _to_merge(node: yaml.Node) -> list[yaml.MappingNode]:
    several: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    mappings = [one for one in several if isinstance(one, yaml.MappingNode)]
    if len(mappings) < len(several):
        raise _unreadable(node, "<< merges something that is not a mapping", "give an alias of a mapping")
    return mappings


def _scalar(node: yaml.Node) -> Any:
    """Return the value of a scalar: text, number, boolean or None."""
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind in ("str", "merge"):  # << merges only as a field's name
        return text
    if kind == "null":
        return None
    if kind == "bool" and text in _BOOL:
        return _BOOL[text]
    if kind == "int" and _INT.fullmatch(text) and len(text) < 100:
        return _integer(text.replace("_", ""))
    if kind in ("int", "float") and _FLOAT.fullmatch(text) and abs(float(text)) != float("inf"):
        return float(text)
    if kind in ("int", "float"):
        raise _unreadable(node, "JSON has no such number", "give a finite number")
    raise _unreadable(node, "the tag after ! has no meaning in a manifest", "remove the tag")


def _integer(text: str) -> int:
    """Read an integer as Go does: 0x, 0b and 0o give the base, and a leading zero means octal."""
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        digits = "0o" + digits[1:]
    return sign * int(digits, 0)


def _unreadable(node: yaml.Node, problem: str, remedy: str) -> Unreadable:
    return Unreadable(node.start_mark.line + 1, problem, remedy)


def first(text: str) -> Document | None:
    """Return the first document of a text; None if it has none, or the first cannot be read."""
    found = next(documents(text), None)
    return found if isinstance(found, Document) else None


def _text_at(value: Any, path: Path) -> str:
    for step in path:
        value = value[step]
    return str(value)


def documents(text: str) -> Iterator[Document | Unreadable]:
    """Yield each YAML document of a text; documents that are empty are left out.

    A document that YAML allows and Kubernetes does not is yielded as `Unreadable`, and the next is read. Text
    that is not YAML ends the reading with one `Unreadable`, because the next document cannot be found.
    """
    try:
        for node in yaml.compose_all(text, _Loader):
            if node is not None and node.tag != _TAG + "null":
                yield _document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield Unreadable(
            mark.line + 1 if mark else None,
            f"this is not YAML: {_QUOTED.sub('', error.problem or error.context or 'it cannot be read')}",
            "correct the indentation, quotation marks and brackets at this line and above it",
        )
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        yield Unreadable(line, "this is not YAML: a character is not allowed", "save the file as plain text")
    except (RecursionError, yaml.YAMLError, ValueError):
        yield Unreadable(None, "this is not YAML, or it is nested too deeply", "write the manifest anew")


def _document(node: yaml.Node) -> Document | Unreadable:
    reader = _Reader()
    try:
        return Document(reader.value(node, ()), reader.lines, reader.blocks)
    except Unreadable as error:
        return error
