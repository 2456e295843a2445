"""Read a file that contains a whole configuration as `base`, or the path of one: a study, or a retraining."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfmeta_dist.config.load import nested, overridden, read_mapping
from rfmeta_dist.config.renamed import renamed
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def read_base(given: Any, file: Path) -> Any:
    """Return the base as a mapping, read from its file if a path is given.

    Args:
        given: the value of `base`; a path is relative to the folder of `file`.
        file: the file that contains it.

    Raises:
        ConfigError: the base's file is missing, not YAML, or not a mapping.
    """
    if isinstance(given, str):
        path = file.parent / Path(given).expanduser()
        found = renamed(read_mapping(path), str(path))
        return overridden(found, (), f"configuration {path}", lambda name, value: [nested(name, value)])
    return renamed(given, f"{file}, base") if isinstance(given, Mapping) else given


def named_base(given: Any) -> Any:
    """Give the base a run's name and folder if it has none: who reads the base names its runs itself.

    Raises:
        ConfigError: the base has settings for single methods.
    """
    base = given.get("base") if isinstance(given, Mapping) else None
    if isinstance(base, Mapping) and "methods" in base:
        raise ConfigError(
            "base.methods: a base is the configuration of one method, so settings for single methods have no "
            "place in it",
            "remove base.methods, and write the settings of the base's own method into its sections",
        )
    if not isinstance(base, Mapping) or "run" in base or "name" not in given:
        return given
    run = {key: given[key] for key in ("name", "folder") if key in given}
    return {**given, "base": {"run": run, **base}}


def layers(file: Path, name: str, value: Any) -> list[dict[str, Any]]:
    """Return an override as mappings to merge in turn. `base=other.yaml` replaces the whole base."""
    section, _, field = name.partition(".")
    if section != "base":
        return [nested(name, value)]
    base = read_base(nested(name, value)["base"], file)
    return [{"base": base}] if field else [{"base": None}, {"base": base}]


def layers_of(file: Path) -> Callable[[str, Any], list[dict[str, Any]]]:
    """Return `layers` for one file, as `overridden` takes it."""
    return lambda name, value: layers(file, name, value)
