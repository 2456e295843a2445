"""Define the types that all models share: how Kubernetes reads numbers, quantities, ports and names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

_QUANTITY = re.compile(
    r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+))?", re.ASCII
)


class Part(BaseModel):
    """A part of a manifest. A number is not accepted where a text is wanted, nor the other way round."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


def _integral(value: Any) -> Any:
    # JSON does not distinguish 1 and 1.0, so Kubernetes accepts 1.0 as an integer.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _quantity(value: Any) -> Any:
    text = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _QUANTITY.fullmatch(text):
        raise PydanticCustomError("quantity", "not an amount")
    return value


def _int_or_text(value: Any) -> Any:
    value = _integral(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise PydanticCustomError("int_or_text", "neither integer nor text")
    return value


Integer = Annotated[int, BeforeValidator(_integral), Field(ge=-(2**31), le=2**31 - 1)]
Natural = Annotated[int, BeforeValidator(_integral), Field(ge=0, le=2**31 - 1)]
Long = Annotated[int, BeforeValidator(_integral), Field(ge=-(2**63), le=2**63 - 1)]
Port = Annotated[int, BeforeValidator(_integral), Field(ge=1, le=65535)]
Quantity = Annotated[Any, PlainValidator(_quantity)]
IntOrText = Annotated[Any, PlainValidator(_int_or_text)]
Texts = dict[str, str]
Full = Annotated[str, StringConstraints(min_length=1)]
# A part that Kubernetes describes in more detail than is checked here. It must be a mapping.
Unchecked = dict[str, Any]


class Metadata(Part):
    """Name, labels and annotations of an object; not the fields that only the cluster writes, such as uid."""

    name: Full | None = None
    generateName: Full | None = None
    namespace: Full | None = None
    labels: Texts | None = None
    annotations: Texts | None = None
    finalizers: list[str] | None = None


class TemplateMetadata(Part):
    """Metadata of the pods, jobs or claims that are made from a template; their name is seldom given."""

    name: str | None = None
    generateName: str | None = None
    namespace: str | None = None
    labels: Texts | None = None
    annotations: Texts | None = None
    finalizers: list[str] | None = None


class Expression(Part):
    """One condition on the labels of an object."""

    key: str
    operator: str
    values: list[str] | None = None


class Selector(Part):
    """Which objects are meant, by their labels."""

    matchLabels: Texts | None = None
    matchExpressions: list[Expression] | None = None


class LocalReference(Part):
    """The name of an object in the same namespace."""

    name: str | None = None


class Named(Part):
    """The fields that every manifest has."""

    apiVersion: str
    kind: str
    metadata: Metadata
