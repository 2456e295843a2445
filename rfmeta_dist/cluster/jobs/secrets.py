"""Find credentials in a job spec, and hide those that other people's jobs contain.

A job spec must not contain credentials, because whoever can read the file or list the cluster's jobs could use
them. The nodes of the cluster have them in their environment. A reference such as $TOKEN is no credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rfmeta_dist.core.credentials import masked

# NAME=value, --password=value and --password value. The value may not be a reference to a variable. It is only
# looked at, because in `--set password=x` the value of one option is an assignment itself.
_ASSIGNED = re.compile(
    r"""(?<![\w$.-])(?:--?(?P<option>[A-Za-z][\w.-]*)(?:=|\s+(?!-))|(?P<name>[A-Za-z_][\w.]*)=)"""
    r"""(?=(?P<value>"[^"$]+"|'[^']+'|[^\s"'$][^\s"']*))"""
)
# https://user:password@host, https://token@host; of other schemes only with a password, as git@ is a name
_IN_URL = re.compile(
    r"""(?:https?://(?P<web>[^\s'"/?#@]+)|[a-z][a-z0-9+.-]*://[^\s'"/?#@:]+:(?P<other>[^\s'"/@]+))@""", re.I
)
_REFERENCE = re.compile(r"(\$\{?\w+\}?|:)+")


def is_secret(name: str) -> bool:
    """Return True if a variable, an option or a key of this name holds a credential, not the path of one."""
    parts = [part for part in re.split(r"[_.\-]+", name.lower()) if part]
    if not parts or parts[-1] in ("path", "file", "mode", "name"):
        return False
    if any("secret" in part or "password" in part or "passwd" in part for part in parts):
        return True
    if any(part.endswith("token") for part in parts):
        return True
    return any(
        pair in "_".join(parts) for pair in ("access_key", "api_key", "private_key", "accesskey", "apikey")
    )


def in_names(values: Mapping[str, Any]) -> list[str]:
    """Return the names of a mapping that hold credentials."""
    return [name for name in values if is_secret(name)]


def in_command(command: str) -> str | None:
    """Return the name that a shell command gives a credential, as in PGPASSWORD=… or --token …; else None."""
    return next((name for name, _, _ in _assigned(command)), None)


def _assigned(command: str) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each credential in a command, and where its value begins and ends."""
    for match in _ASSIGNED.finditer(command):
        name = match["option"] or match["name"]
        if is_secret(name):
            yield name, *match.span("value")


def in_url(text: str) -> bool:
    """Return True if a text has a URL with a password or token in it. References such as ${TOKEN} are none."""
    return any(
        not _REFERENCE.fullmatch(match["web"] or match["other"] or "") for match in _IN_URL.finditer(text)
    )


def texts(tree: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the value of each text in a tree of mappings and lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from texts(value, f"{name}.{key}".lstrip("."))
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from texts(value, f"{name}.{number}".lstrip("."))
    elif isinstance(tree, str):
        yield name, tree


def hidden(command: str) -> str:
    """Return a command with `***` in place of each credential that it contains."""
    for _, start, end in reversed(list(_assigned(command))):
        command = f"{command[:start]}***{command[end:]}"
    return masked(command)
