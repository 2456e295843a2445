"""Translate former names of configuration fields, which files, overrides and stored runs may still use."""

from __future__ import annotations

import functools
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
    """Return a configuration's mapping with today's names, and warn of the former ones in one line.

    Args:
        tree: what a file or an override holds.
        origin: what to call it in the warning.

    Raises:
        ConfigError: a field stands there under both names.
    """
    current, found = dict(tree), []
    for former, name in RENAMED.items():
        section, _, before = former.partition(".")
        fields = current.get(section)
        if not isinstance(fields, Mapping) or before not in fields:
            continue
        if name in fields:
            raise ConfigError(
                f"{origin} has both {former} and {section}.{name}", f"remove {former}, its former name"
            )
        found.append(f"{former} is now called {section}.{name}")
        current[section] = {name if key == before else key: value for key, value in fields.items()}
    if found:
        _warn(f"{origin}: {', '.join(found)}; the former names are still read")
    return current


@functools.cache
def _warn(line: str) -> None:
    LOG.warning(line)  # once a process, however often a file is read
