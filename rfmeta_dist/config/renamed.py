"""Translate former names of configuration fields, which old files and stored runs may still contain."""

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
LOG = logging.getLogger(__name__)  # Python prints its warnings on stderr if logging is not configured


def renamed(tree: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a configuration's mapping with the current names, and log one warning about former names.

    Args:
        tree: content of a file or an override.
        origin: how the warning names it, such as the file's path.

    Raises:
        ConfigError: a field is given under both names.
    """
    current, found = dict(tree), []
    for former, name in RENAMED.items():
        section, _, before = former.partition(".")
        fields = current.get(section)
        if not isinstance(fields, Mapping) or before not in fields:
            continue
        if name in fields:
            raise ConfigError(
                f"{origin} has both {former} and {section}.{name}",
                f"remove {former}, the former name of {section}.{name}",
            )
        found.append(f"{former} is now called {section}.{name}")
        current[section] = {name if key == before else key: value for key, value in fields.items()}
    if found:
        _warn(f"{origin}: {', '.join(found)}; the former names still work, and nothing needs to be done")
    return current


@functools.cache
def _warn(line: str) -> None:
    LOG.warning(line)  # the cache prints each warning once in a process
