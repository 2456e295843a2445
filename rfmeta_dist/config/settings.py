"""Keep what a configuration file says, from which the configuration of any method is made.

A file describes the run of one method, `method.name`. Its section `methods` has settings for single methods:

    methods:
      no_depth: {training.learning_rate: 5e-4, training.steps: 2000}

It belongs to the file alone: it is resolved when a run is made, and a run's folder holds the resolved settings.
A field gets its value from the first of these places that sets it:

    1. --set methods.NAME.FIELD=VALUE, for the method NAME
    2. --set FIELD=VALUE, for every method
    3. the file's section `methods`, for its method
    4. for the file's own method: the file, then the method's preset. For another method, which is chosen with
       `--methods`: the method's preset, then the file
    5. the field's default
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rfmeta_dist.config import presets
from rfmeta_dist.config.fields import is_section, kind_of, read
from rfmeta_dist.config.methods import METHODS, own_fields, owners
from rfmeta_dist.config.mistakes import did_you_mean, mistakes
from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.words import NULLS
from rfmeta_dist.core.errors import ConfigError

SECTION = "methods"
_SAME = "methods are compared on the same domains and seeds, by the same rules"
# Fields that a single method cannot have for itself, each with the reason.
SHARED = {
    "run": "it names where results are written",
    "method.name": "the entry's own name is that of the method",
    "data.sources": _SAME,
    "data.target": _SAME,
    "data.within": _SAME,
    "training.seed": _SAME,
    "evaluation": _SAME,
    "tracking": "it says where figures are shown",
}


@dataclass(frozen=True)
class Settings:
    """What a configuration file and `--set` say.

    Attributes:
        given: the sections of the file with `--set` applied, without the section `methods`.
        origin: how errors name the file.
        pinned: dotted names of the fields that `--set` gives.
        methods: the section `methods`: method → dotted field → value.
        pinned_methods: the pairs (method, dotted field) of it that `--set` gives.
    """

    given: Mapping[str, Any]
    origin: str
    pinned: Sequence[str] = ()
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pinned_methods: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        for method, fields in self.methods.items():
            self._require_values(method, fields)

    @classmethod
    def of(cls, config: Config) -> Settings:
        """Return the settings of a file that says what a configuration says, in every field."""
        return cls(config.model_dump(mode="json"), f"of {config.run.name}")

    def tree(self, method: str | None = None) -> dict[str, Any]:
        """Return the configuration of a method as a mapping, not checked yet.

        Args:
            method: name of the method; the file's own method if None.
        """
        own = presets.method_of(self.given)
        if method is None or method == own:
            tree = presets.filled(dict(self.given))
        else:
            preset = presets.preset_of(method).items()
            tree = presets.for_method(self.given, method)
            tree = presets.with_fields(tree, {k: v for k, v in preset if not self._is_pinned(k)})
        name = method or own
        fields = {
            k: v
            for k, v in self.methods.get(name, {}).items()
            if (name, k) in self.pinned_methods or not self._is_pinned(k)
        }
        return presets.with_fields(tree, fields)

    def _is_pinned(self, name: str) -> bool:
        """Return True if `--set` gives a field, a part of it, or a section that contains it."""
        dotted = f"{name}."
        pinned = [f"{given.partition('[')[0]}." for given in self.pinned]
        return any(dotted.startswith(given) or given.startswith(dotted) for given in pinned)

    def _require_values(self, method: str, fields: Mapping[str, Any]) -> None:
        """Check the values of an entry alone, whether or not they fit the other settings."""
        try:
            Config.model_validate(presets.with_fields(presets.for_method(self.given, method), fields))
        except ValidationError as error:
            wrong = [m for m in mistakes(error) if any(f"{m.name}.".startswith(f"{k}.") for k in fields)]
            if wrong:
                name = f"{SECTION}.{method}.{wrong[0].name}"
                raise ConfigError(
                    f"{name}={wrong[0].value}: {wrong[0].message}", wrong[0].remedy or f"correct {name}"
                ) from None


def own_settings(given: Any) -> dict[str, dict[str, Any]]:
    """Return the section `methods` with the texts in it converted to the types of their fields.

    Args:
        given: the section as written in a file; None or an empty text for an empty section.

    Raises:
        ConfigError: it is not a mapping of methods to fields; or a method or a field does not exist, is that of
            another method, or must be the same for all methods. The error names the entry.
    """
    if given is None or (isinstance(given, str) and given in NULLS):
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{SECTION} is not a mapping of methods", f"write {SECTION}: {{NAME: {{training.steps: 2000}}}}"
        )
    return {str(method): _entry(str(method), fields) for method, fields in given.items()}


def _entry(method: str, fields: Any) -> dict[str, Any]:
    where = f"{SECTION}.{method}"
    if method not in METHODS:
        raise ConfigError(f"{where}: there is no method {method}", did_you_mean(method, list(METHODS)))
    if fields is None or (isinstance(fields, str) and fields in NULLS):
        return {}
    if not isinstance(fields, Mapping):
        raise ConfigError(
            f"{where} is not a mapping of fields", f"write {method}: {{training.steps: 2000}}, fields with dots"
        )
    for name, value in fields.items():
        require_own(method, str(name), value)
    return {str(name): read(value, kind_of(str(name), where)) for name, value in fields.items()}


def require_own(method: str, name: str, value: Any = None) -> None:
    """Check that a method can have a field for itself, in its preset or in the section `methods`.

    Args:
        method: name of the method.
        name: dotted name of the field.
        value: what is written for it. Of a section, the error names the first field that is written there.

    Raises:
        ConfigError: there is no such field, it is a section or a field of another method, or it must be the
            same for all methods.
    """
    where = f"{SECTION}.{method}"
    kind = kind_of(name, where)
    for shared, why in SHARED.items():
        if f"{name}.".startswith(f"{shared}."):
            raise ConfigError(
                f"{where}.{name}: a method cannot have this field for itself, because {why}",
                f"remove {where}.{name}",
            )
    if is_section(kind):
        written = value if isinstance(value, Mapping) and value else kind.model_fields
        raise ConfigError(
            f"{where}.{name} is a section of the configuration",
            f"write its fields with dots, as {name}.{next(iter(written))}: VALUE",
        )
    section, _, key = name.partition(".")
    if section == "method" and key in own_fields() and method not in owners(key):
        raise ConfigError(
            f"{where}.{name}: {key} is a field of method {' and '.join(owners(key))}, not of {method}",
            f"remove {where}.{name}",
        )
