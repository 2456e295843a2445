"""Fill in the preset of a method: settings that it is trained with unless the configuration says otherwise.

The presets are among the facts of the methods. A configuration is a mapping of sections here, not checked
yet, and fields have dotted names.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from rfmeta_dist.config.methods import METHODS, own_fields
from rfmeta_dist.config.methods.tables import PAPERS_OWN as DEFAULT  # of a configuration that names no method


def method_of(tree: Mapping[str, Any]) -> str:
    """Return the name of a configuration's method; a text that is no method's name as it is."""
    section = tree.get("method")
    return str(section.get("name", DEFAULT)) if isinstance(section, Mapping) else DEFAULT


def preset_of(method: str) -> Mapping[str, Any]:
    """Return the preset of a method: dotted field → value. It is empty if there is no such method."""
    return METHODS[method].preset if method in METHODS else {}


def filled(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with the preset of its method in the fields that it does not set.

    A configuration whose sections are not mappings is returned as it is.
    """
    preset = preset_of(method_of(tree))
    if not preset or not all(isinstance(section, Mapping) for section in tree.values()):
        return tree
    return with_fields(tree, {name: value for name, value in preset.items() if not has(tree, name)})


def for_method(tree: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Return a configuration with another method's name, without fields of `method` that this method lacks."""
    section = tree.get("method")
    given = section if isinstance(section, Mapping) else {}
    theirs = METHODS[method].fields if method in METHODS else {}
    foreign = own_fields().keys() - theirs.keys()
    kept = {key: value for key, value in given.items() if key not in foreign}
    return {**tree, "method": {**kept, "name": method}}


def has(tree: Mapping[str, Any], name: str) -> bool:
    """Return True if a configuration sets the field of a dotted name, or a section around it to None."""
    here: Any = tree
    for part in name.split("."):
        if not isinstance(here, Mapping):
            return True
        if part not in here:
            return False
        here = here[part]
    return True


def with_fields(tree: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with other values of some fields.

    A field of a section that is no mapping is left out: the section is a mistake, which the check reports.

    Args:
        tree: the configuration, which is not changed.
        fields: dotted field → value.
    """
    new = deepcopy(dict(tree))
    for name, value in fields.items():
        *sections, field = name.split(".")
        here: Any = new
        for section in sections:
            if here.get(section) is None:
                here[section] = {}
            here = here[section]
            if not isinstance(here, dict):
                break
        else:
            here[field] = value
    return new
