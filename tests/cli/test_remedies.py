"""Remedies and help speak only of what exists: commands, options, fields, packages, files of a wheel."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.named import FIELD, PATHS, commands, invocations, require_field, require_invocation

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rfmeta_dist"
TABLES = ("load.py", "card.py", "records.py", "manifest.py")  # they hold remedies outside of errors too
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
        source = path.read_text(encoding="utf-8")
        if "Error(" not in source and path.name not in TABLES:
            continue
        tree = ast.parse(source)
        names = constants(tree)
        for node in ast.walk(tree):
            called = (
                getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            )
            if called.endswith("Error") and node.args and called not in ("OSError", "KeyError"):  # type: ignore[attr-defined]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text_of(node.args[-1], names)  # type: ignore[attr-defined]
        if path.name in TABLES:
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and "rfmeta " in node.value:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def helps() -> Iterator[tuple[str, str]]:
    for name, command in commands():
        texts = [
            command.help or "",
            command.epilog or "",
            *(getattr(p, "help", None) or "" for p in command.params),
        ]
        yield f"rfmeta {name} --help", re.sub(r"\[/?[a-z]*\]", "", "\n".join(texts))


SAID = [*dict.fromkeys(remedies()), *helps()]


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
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", re.sub(r"(ray job|curl) .*", "", text)))
    assert options - known - {"--help"} == set()
    dependencies = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for package in re.findall(r"pip install '?([\w-]+(?:\[[^]]*\])?)", text):
        name, _, extra = package.partition("[")
        assert re.search(rf'"{name}\b', dependencies) or name == "rfmeta_dist", package
        if extra not in ("", "…]"):  # one that a variable names; core/extras.py and its test hold those
            assert extra.rstrip("]") in tomllib.loads(dependencies)["project"]["optional-dependencies"]


def test_every_command_takes_json_but_the_one_that_runs_another_and_the_service():
    without = [
        n
        for n, c in commands()
        if not hasattr(c, "commands") and "--json" not in {o for p in c.params for o in p.opts}
    ]
    assert without == ["s3", "serve"]


def test_every_example_that_help_names_is_printed(rfmeta):
    named = {line.split()[1] for _, text in SAID for line in invocations(text) if line.startswith("example ")}
    assert len(named) >= 4
    for name in named:
        ending = rfmeta("example", name)
        assert (ending.code, bool(ending.out)) == (0, True)


def test_examples_are_usable_as_they_are_printed(rfmeta, tmp_path, monkeypatch):
    from rfmeta_dist.cluster.jobs.spec import read
    from rfmeta_dist.config.load import load_config
    from rfmeta_dist.config.retrain import load_retraining
    from rfmeta_dist.config.study import load_study
    from rfmeta_dist.synth.domains.card import read_card

    monkeypatch.chdir(tmp_path)
    readers = {
        "configuration": load_config,
        "study": load_study,
        "retraining": load_retraining,
        "job spec": read,
        "card": read_card,
    }
    kinds = dict(line.split(None, 1) for line in rfmeta("example").out.splitlines())
    assert (kinds["retrain"], kinds["retrain-job"]) == ("retraining", "job spec")
    for name, kind in kinds.items():
        path = tmp_path / "example.yaml"
        path.write_text(rfmeta("example", name).out, encoding="utf-8")
        assert readers[kind](path)
    assert "choose from demo" in rfmeta("example", "nothing").error
