"""The section `method` of a configuration: the learning rule with its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, create_model, model_serializer, model_validator

from rfmeta_dist.config.methods import METHODS, MethodFacts, own_fields, owners
from rfmeta_dist.config.section import Section


class _Method(Section):
    """What every learning rule has: the paper's α, λ and μ, and how domains take turns."""

    name: str = "rfmeta"
    inner_learning_rate: float = Field(1e-3, ge=0, le=10, description="α")
    inner_steps: int = Field(1, ge=1, le=10)
    depth_weight: float = Field(10.0, ge=0, le=1e4, description="λ")
    meta_test_weight: float = Field(1.0, ge=0, le=1e4, description="μ")
    schedule: Literal["uniform", "balanced"] = "uniform"

    @property
    def facts(self) -> MethodFacts:
        """What is known of the rule; see config/methods.py."""
        return METHODS[self.name]

    def renamed(self, name: str) -> dict[str, Any]:
        """The same settings for another rule, still to be checked; own fields that it lacks are left out."""
        theirs = METHODS[name].fields if name in METHODS else {}
        settings = self.model_dump(mode="json")
        kept = {k: v for k, v in settings.items() if k not in self.facts.fields or k in theirs}
        return kept | {"name": name}

    @model_validator(mode="after")
    def _own_fields_alone(self) -> Self:
        # Files of earlier versions hold every rule's fields: at its default, a foreign one says nothing.
        for key in own_fields().keys() - self.facts.fields.keys():
            value = getattr(self, key)
            if value != type(self).model_fields[key].default:
                owner = " and ".join(owners(key))
                raise ValueError(
                    f"{key}={value} is a field of method {owner}, not of {self.name}; "
                    f"remove it, or set method.name={owners(key)[0]}"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_foreign_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        foreign = own_fields().keys() - self.facts.fields.keys()
        return {key: value for key, value in serialise(self).items() if key not in foreign}


if TYPE_CHECKING:

    class Method(_Method):
        """The learning rule; a rule's own fields are attributes too."""

        def __getattr__(self, name: str) -> Any: ...

else:
    Method = create_model(
        "Method",
        __base__=_Method,
        __module__=__name__,
        __doc__="The learning rule, with the fields of every rule; those of others stay at their default.",
        name=(Literal[tuple(METHODS)], "rfmeta"),
        **own_fields(),
    )
