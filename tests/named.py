"""What messages, help and documentation name: commands, options, fields of the configuration, and paths."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, get_args

import typer
from pydantic import BaseModel

from rfmeta_dist.cli.app import app
from rfmeta_dist.config.schema import Config

COMMANDS = typer.main.get_command(app)
PATHS = re.compile(r"(?<![\w./])(docs|jobs|shards|tests|infra|bench|rfmeta_dist)/[\w./-]*")
FIELD = re.compile(rf"(?<![\w./])({'|'.join(Config.model_fields)})\.([a-z_]+(?:\.[a-z_]+)?)(?![\w/])")


def commands(node: Any = COMMANDS, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, node
    for child, below in getattr(node, "commands", {}).items():
        yield from commands(below, f"{name} {child}".strip())


def invocations(text: str) -> Iterator[str]:
    """What stands after `rfmeta` where a command is meant: in backquotes, after a colon, on its own line."""
    for match in re.finditer(r"(?:`|: |^ *|write |with )rfmeta ([^`\n;]*)", text, re.MULTILINE):
        yield re.split(r"\s{2,}|\s#| > | -- |, or |\| ", match[1])[0].strip()


def require_invocation(line: str) -> None:
    node, name, words = COMMANDS, "rfmeta", shlex.split(line)
    while words and words[0] in getattr(node, "commands", {}):
        name = words.pop(0)
        node = node.commands[name]
    if name == "tune" and words and not words[0].startswith("-"):
        node = node.commands["search"]  # for which `rfmeta tune STUDY` is short
    if words and hasattr(node, "default"):  # `rfmeta tune STUDY` is short for `rfmeta tune search STUDY`
        node = node.commands[node.default]
    alone = bool(words) and words[0].startswith("-")  # an option of rfmeta itself, such as --version
    assert node is not COMMANDS or alone, f"there is no command rfmeta {line}"
    assert not getattr(node, "commands", {}) or not words or words[0].startswith("-"), (
        f"no such command: {line}"
    )
    options = {option for p in node.params for option in p.opts}
    given = {word.partition("=")[0] for word in words if word.startswith("-") and not word[1:2].isdigit()}
    assert given - options - {"--help"} == set(), f"rfmeta {line}"
    for word in words:
        section, dot, rest = word.partition("=")[0].partition(".")
        if "=" in word and dot and section in Config.model_fields:
            require_field(section, rest)


def require_field(section: str, rest: str) -> None:
    here: Any = Config.model_fields[section].annotation
    for part in rest.split("."):
        models = [
            kind for kind in (here, *get_args(here)) if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        assert models, f"{section}.{rest}"
        assert part in models[0].model_fields, f"there is no field {section}.{rest}"
        here = models[0].model_fields[part].annotation
