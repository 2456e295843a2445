"""Compare a manifest with the model of its kind, and describe each difference as a finding."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rfmeta_dist.manifests.finding import Path, dotted
from rfmeta_dist.manifests.models.base import Named
from rfmeta_dist.manifests.remark import Remark

_SERVER = ("status", "uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_PLAIN: Mapping[str, tuple[str, str]] = {
    "bool_type": ("true or false is wanted", "write true or false, without quotation marks"),
    "int_type": ("a whole number is wanted", "write a whole number, without quotation marks or a fraction"),
    "float_type": ("a number is wanted", "write a number, without quotation marks"),
    "list_type": ("a list is wanted", "write each item on a line of its own that begins with `- `"),
    "quantity": ("this is not an amount", "write a number with a unit if needed, such as 500m, 2 or 4Gi"),
    "int_or_text": ("a whole number or a name is wanted", "write a whole number, or a name"),
    "string_too_short": ("the text is empty", "give a text, or remove the field"),
    "too_short": ("the list is empty", "add an item"),
    "too_long": ("the list has too many items", "remove items"),
}


def compare(model: type[Named], value: Any) -> Iterator[Remark]:
    """Yield what in a manifest does not fit the model of its kind.

    Args:
        model: the model of the manifest's kind.
        value: the manifest, from `text.documents`, without fields that have no value.
    """
    try:
        model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=True)
    else:
        return
    misspelt = {(*e["loc"][:-1], _alike(model, e["loc"])) for e in found if e["type"] == "extra_forbidden"}
    for detail in found:
        # A required field that is misspelt would be reported as missing, too.
        if detail["type"] != "missing" or detail["loc"] not in misspelt:
            yield _Misfit(model, tuple(step for step in detail["loc"] if step != "[key]"), detail).remark()


@dataclass(frozen=True)
class _Misfit:
    """A place that does not fit the model. Most methods return problem and remedy of one sort."""

    model: type[BaseModel]
    path: Path
    detail: ErrorDetails

    def remark(self) -> Remark:
        describe = _DESCRIBED.get(self.detail["type"])
        unknown = ("the value does not fit this field", "correct the value")
        words = describe(self) if describe else _PLAIN.get(self.detail["type"], unknown)
        return Remark(self.path, *words)

    def missing(self) -> tuple[str, str]:
        above = dotted(self.path[:-1]) or "the manifest"
        return "this required field is missing", f"add {self.path[-1]} to {above}"

    def mapping(self) -> tuple[str, str]:
        names = ", ".join(field_names(type_at(self.model, self.path))[:12])
        fields = f"; its fields are {names}" if names else ""
        return "fields with values are wanted here", f"write `name: value` on a line below it{fields}"

    def text(self) -> tuple[str, str]:
        if isinstance(self.detail["input"], (dict, list)):
            return "one text is wanted here", "write a text on one line, or after `|`"
        return "a number or true or false stands where a text is wanted", 'write it in quotation marks: "…"'

    def bound(self) -> tuple[str, str]:
        limits = self.detail["ctx"]
        name, words = ("ge", "at least") if "ge" in limits else ("le", "at most")
        return "the number is out of range", f"write a number that is {words} {limits[name]}"

    def choice(self) -> tuple[str, str]:
        known = self.detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        given = self.detail["input"]
        close = _closest(given, known) if isinstance(given, str) else None
        meant = f"did you mean {close}? " if close else ""
        return "the field cannot have this value", f"{meant}write one of {', '.join(known)}"

    def unknown(self) -> tuple[str, str]:
        name, above = str(self.path[-1]), self.path[:-1]
        if close := _alike(self.model, self.path):
            return "this field is not known", f"did you mean {close}?"
        if name in _SERVER and len(self.path) <= 2:
            return "only the cluster writes this field", "remove it"
        if place := self.elsewhere(name):
            return "this field does not belong here", f"move it to {place}, where it is known"
        return (
            "this field is not known",
            f"remove it, or use one of: {', '.join(field_names(type_at(self.model, above)))}",
        )

    def elsewhere(self, name: str) -> str | None:
        """Return the place above or directly below, in which the model has a field of this name."""
        above = self.path[:-1]
        for length in range(len(above) - 1, -1, -1):
            if name in field_names(type_at(self.model, above[:length])):
                return dotted(above[:length]) or "the top of the manifest"
        for child in field_names(type_at(self.model, above)):
            below = (*above, child)
            if name in field_names(type_at(self.model, below)) or name in field_names(
                type_at(self.model, (*below, 0))
            ):
                return dotted(below)
        return None


_DESCRIBED: Mapping[str, Callable[[_Misfit], tuple[str, str]]] = {
    "extra_forbidden": _Misfit.unknown,
    "missing": _Misfit.missing,
    "model_type": _Misfit.mapping,
    "model_attributes_type": _Misfit.mapping,
    "dict_type": _Misfit.mapping,
    "string_type": _Misfit.text,
    "literal_error": _Misfit.choice,
    "greater_than_equal": _Misfit.bound,
    "less_than_equal": _Misfit.bound,
}


def _alike(model: type[BaseModel], path: Path) -> str | None:
    return _closest(str(path[-1]), field_names(type_at(model, path[:-1])))


def _closest(word: str, known: list[str]) -> str | None:
    lower = {name.lower(): name for name in known}
    plain = word.lower().replace("_", "").replace("-", "")
    close = difflib.get_close_matches(plain, lower, n=1, cutoff=0.75)
    return lower[close[0]] if close else None


def field_names(kind: Any) -> list[str]:
    """Return the fields of a model, as manifests write them; nothing for other types."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return []
    return [field.alias or name for name, field in kind.model_fields.items()]


def type_at(kind: Any, path: Path) -> Any:
    """Return the type that a model declares for the place at `path`; None if it declares none."""
    for step in path:
        kind = _below(_bare(kind), step)
    return _bare(kind)


def _below(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        return fields[step].annotation if step in fields else None
    parts = get_args(kind)
    return parts[-1] if get_origin(kind) in (list, dict) else None


def _bare(kind: Any) -> Any:
    """Return a type without `Annotated` and without `| None`."""
    while get_origin(kind) in (Annotated, Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    return kind
