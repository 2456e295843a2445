"""Remedies and help speak only of what exists: commands, options, fields, packages, files of a wheel."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

from rfmeta_dist.cli.app import app
from rfmeta_dist.config.schema import Config

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rfmeta_dist"
COMMANDS = typer.main.get_command(app)
HOLE = "…"  # stands where a message puts a value in


def text_of(node: ast.expr, names: dict[str, str]) -> str:
    """The text of an expression, as far as the source tells it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, names)
    if isinstance(node, ast.BinOp):
        return text_of(node.left, names) + text_of(node.right, names)
    if isinstance(node, ast.IfExp):
        return f"{text_of(node.body, names)} | {text_of(node.orelse, names)}"
    return names.get(node.id, HOLE) if isinstance(node, ast.Name) else HOLE


def constants(tree: ast.AST) -> dict[str, str]:
    """The texts that a file's names stand for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = text_of(node.value, found)
            if text != HOLE:
                found[node.targets[0].id] = text
    return found


def remedies() -> Iterator[tuple[str, str]]:
    """Where each error of ours is made, and its remedy; also what our validators and tables of remedies say."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = constants(tree)
        for node in ast.walk(tree):
            called = (
                getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            )
            if called.endswith("Error") and node.args and called not in ("OSError", "KeyError"):  # type: ignore[attr-defined]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text_of(node.args[-1], names)  # type: ignore[attr-defined]
        if path.name in ("load.py", "card.py", "records.py", "jobspec.py"):
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "rfmeta " in node.value:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def commands(node: Any = COMMANDS, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, node
    for child, below in getattr(node, "commands", {}).items():
        yield from commands(below, f"{name} {child}".strip())


def helps() -> Iterator[tuple[str, str]]:
    for name, command in commands():
        texts = [
            command.help or "",
            command.epilog or "",
            *(getattr(p, "help", None) or "" for p in command.params),
        ]
        yield f"rfmeta {name} --help", re.sub(r"\[/?[a-z]*\]", "", "\n".join(texts))


SAID = [*dict.fromkeys(remedies()), *helps()]
PATHS = re.compile(r"(?<![\w./])(docs|jobs|shards|tests|infra|bench|rfmeta_dist)/[\w./-]*")
FIELD = re.compile(rf"(?<![\w./])({'|'.join(Config.model_fields)})\.([a-z_]+(?:\.[a-z_]+)?)(?![\w/])")


def test_there_is_something_to_check():
    assert len(SAID) > 150
    assert sum("rfmeta " in text for _, text in SAID) > 25


@pytest.mark.parametrize(("where", "text"), SAID, ids=[where for where, _ in SAID])
def test_what_a_message_names_exists(where, text):
    for path in PATHS.finditer(text):
        in_repository = "repository" in text and (ROOT / path[0]).exists()
        assert in_repository, f"a wheel has no {path[0]}"
    for section, rest in FIELD.findall(text):
        if f"{section}.{rest}" not in ("evaluation.json", "run.name=", "data.yaml", "model.safetensors"):
            require_field(section, rest)
    for line in invocations(text):
        require_invocation(line)
    known = {
        option for _, command in commands() for p in command.params for option in (*p.opts, *p.secondary_opts)
    }
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"ray job .*", "", text)))
    assert options - known - {"--help"} == set()
    dependencies = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in re.findall(r"pip install '?([\w-]+(?:\[[^]]*\])?)", text):
        name, _, extra = package.partition("[")
        assert re.search(rf'"{name}\b', dependencies) or name == "rfmeta_dist", package
        if extra not in ("", "…]"):  # one that a variable names; core/extras.py and its test hold those
            assert extra.rstrip("]") in tomllib.loads(dependencies)["project"]["optional-dependencies"]


def invocations(text: str) -> Iterator[str]:
    """What stands after `rfmeta` where a command is meant: in backquotes, after a colon, on its own line."""
    for match in re.finditer(r"(?:`|: |^ *|write |with )rfmeta ([^`\n;]*)", text, re.MULTILINE):
        yield re.split(r"\s+#| > | -- |, or |\| ", match[1])[0].strip()


def require_invocation(line: str) -> None:
    node, name, words = COMMANDS, "rfmeta", shlex.split(line)
    while words and words[0] in getattr(node, "commands", {}):
        name = words.pop(0)
        node = node.commands[name]
    assert node is not COMMANDS, f"there is no command rfmeta {line}"
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


def test_every_command_takes_json_but_the_one_whose_output_is_its_commands():
    without = [
        n
        for n, c in commands()
        if not hasattr(c, "commands") and "--json" not in {o for p in c.params for o in p.opts}
    ]
    assert without == ["s3"]


def test_every_example_that_help_names_is_printed(rfmeta):
    named = {line.split()[1] for _, text in SAID for line in invocations(text) if line.startswith("example ")}
    assert len(named) >= 4
    for name in named:
        ending = rfmeta("example", name)
        assert (ending.code, bool(ending.out)) == (0, True)


def test_examples_are_usable_as_they_are_printed(rfmeta, tmp_path, monkeypatch):
    from rfmeta_dist.cluster.jobspec import read
    from rfmeta_dist.config.load import load_config
    from rfmeta_dist.synth.domains.card import read_card

    monkeypatch.chdir(tmp_path)
    readers = {"configuration": load_config, "job spec": read, "card": read_card}
    for line in rfmeta("example").out.splitlines():
        name, kind = line.split(None, 1)
        path = tmp_path / "example.yaml"
        path.write_text(rfmeta("example", name).out, encoding="utf-8")
        assert readers[kind](path)
    assert "choose from demo" in rfmeta("example", "nothing").error
