"""Write the reference of the command line from Typer's own tree of commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from rfmeta_dist.cli.app import app

HEAD = """# Commands

This page is generated from the program. `rfmeta COMMAND --help` prints the same text.

Every command except `s3` has `--json`, which prints the result as JSON on stdout. A command that fails prints
one line on stderr and ends with an [exit code](exit-codes.md).
"""
MARKUP = re.compile(r"\[/?[a-z]*\]")  # Rich's, such as [bold] and [/]


def page() -> str:
    """Return the whole page in Markdown: each command with its help, arguments, options and examples."""
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands())])


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command that is not hidden, groups before their own commands, with its full name."""
    yield from _below("rfmeta", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _below(f"{name} {child}", inner)


def _section(name: str, command: Any) -> str:
    lines = [f"## {name}", "", (command.help or "").strip(), ""]
    shown = [p for p in command.params if not p.hidden]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    below = "COMMAND" if getattr(command, "commands", {}) else ""
    usage = " ".join(filter(None, [name, "[OPTIONS]" if options else "", *map(_argument, arguments), below]))
    lines += ["```text", usage, "```", ""]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{_argument(p)}` | {_cell(p.help or '')} |" for p in arguments] + [""]
    if options:
        lines += ["| option | default | meaning |", "|---|---|---|"]
        lines += [f"| {_option(p)} | {_default(p)} | {_meaning(p)} |" for p in options] + [""]
    if command.epilog:
        lines += [_examples(MARKUP.sub("", command.epilog)), ""]
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("…" if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{option}`" for option in sorted(parameter.opts, key=len, reverse=True))
    return names if parameter.is_flag else f"{names} `{parameter.metavar or parameter.name.upper()}`"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.is_flag or parameter.default is None else f"`{parameter.default}`"


def _meaning(parameter: Any) -> str:
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    text = _cell(parameter.help or "")
    if low is not None and high is not None:
        return f"{text} From {low} to {high}."
    return text if low is None else f"{text} At least {low}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _examples(text: str) -> str:
    """Return an epilog as Markdown: lines that are indented become code, the others paragraphs."""
    blocks: list[str] = []
    code: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith("  "):
            code += [line.strip() for line in block.splitlines()]
            continue
        blocks += _code(code)
        code = []
        blocks.append(" ".join(block.split()).removesuffix(":"))
    words = [f"**{b}**" if b in ("Example", "Examples") else b for b in blocks + _code(code)]
    return "\n\n".join(words)


def _code(lines: list[str]) -> list[str]:
    return ["\n".join(["```console", *lines, "```"])] if lines else []
