"""Translate former names of configuration fields, which files, overrides and stored runs may still use."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.core.errors import ConfigError

# The former dotted name → the field's name in its section.
RENAMED = {
    "training.rate": "learning_rate",
    "training.recompute": "activation_checkpointing",
    "method.inner_rate": "inner_learning_rate",
}
LOG = logging.getLogger(__name__)  # its warnings reach stderr, whatever the program


def renamed(tree: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a configuration's mapping with today's names, and warn of each former one.

    Args:
        tree: what a file or an override holds.
        origin: what to call it in the warning.

    Raises:
        ConfigError: a field stands there under both names.
    """
    current = dict(tree)
    for former, name in RENAMED.items():
        section, _, before = former.partition(".")
        fields = current.get(section)
        if not isinstance(fields, Mapping) or before not in fields:
            continue
        if name in fields:
            raise ConfigError(
                f"{origin} has both {former} and {section}.{name}", f"remove {former}, its former name"
            )
        LOG.warning("%s: %s is now called %s.%s; the former name is still read", origin, former, section, name)
        current[section] = {name if key == before else key: value for key, value in fields.items()}
    return current
