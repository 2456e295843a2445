"""What reaches the terminal: names from data are inert, a reader may have gone, any locale will do."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from rich.progress import Progress

import rfmeta_dist.cli
from rfmeta_dist.cli.places import place_of
from rfmeta_dist.cli.terminal import time_left
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

CLI = Path(rfmeta_dist.cli.__file__).parent
# Retitles, clears, colours, writes over the line, forges one, reorders it, closes markup that was not opened.
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x1b[31mx\rerror forged\n \u202e[/red][bold] \u2028é"
QUIET = (0, 141)


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    """Two states of a domain whose attack types and subjects hold EVIL."""
    for round_ in (1, 2):
        samples = [
            replace(
                s,
                subject=f"A{EVIL}{s.subject}",
                attack_type=s.attack_type if s.label else f"print{EVIL}{round_}",
            )
            for s in make_samples("A", {"train": (6, 6), "validation": (3, 3)})
        ]
        pack(samples, open_store(str(tmp_path / "evil")), "A", contract={f"tool{EVIL}{round_}": EVIL})
    return tmp_path / "evil"


def require_inert(text: str) -> None:
    assert {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")} <= {"\n"}
    assert not [line for line in text.splitlines() if line.startswith("error forged")]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("ls",), "A"),
        (("stats",), "owned"),
        (("stats", "--subjects"), "[/red][bold]"),
        (("stats", "--subjects", "--json"), "[/red][bold]"),
        (("verify",), "no errors"),
        (("diff", "A/manifest-000001.json", "A/manifest-000002.json"), "[/red][bold]"),
        (("diff", "A/manifest-000001.json", "A/manifest-000002.json", "--json"), "[/red][bold]"),
    ],
)
def test_names_from_data_are_shown_and_not_obeyed(rfmeta, evil, monkeypatch, command, shown):
    monkeypatch.chdir(evil)
    monkeypatch.setenv("COLUMNS", "400")
    ending = rfmeta("shards", command[0], *(command[1:] if command[0] == "diff" else (evil, *command[1:])))
    assert ending.code == 0, ending.err
    assert shown in ending.out + ending.err
    require_inert(ending.out + ending.err)


@pytest.mark.parametrize("subject", ["A[/red]", "A[bold", f"A{EVIL}"])
def test_forgetting_a_subject_of_any_name(rfmeta, tmp_path, monkeypatch, subject):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    samples = [
        replace(s, subject=subject if s.split == "train" else s.subject)
        for s in make_samples("A", {"train": (6, 6), "validation": (3, 3)})
    ]
    pack(samples, open_store(str(tmp_path / "p")), "A", contract={})
    arguments = ("shards", "forget", tmp_path / "p", "--domain", "A", "--subject", subject)
    done = rfmeta(*arguments, "--yes")
    assert done.code == 0, done.err
    assert "[" in done.err
    require_inert(done.err)
    again = rfmeta(*arguments, "--yes")
    assert "no subject 'A" in again.error
    require_inert(again.err)


def test_a_damaged_shard_of_an_evil_name_is_reported_inert(rfmeta, evil):
    stray = evil / "A/train/live" / f"x{EVIL.replace('/', '')}.tar"
    stray.write_bytes(b"")
    for tar in evil.rglob("0*.tar"):
        tar.write_bytes(b"")
    ending = rfmeta("shards", "verify", evil)
    assert ending.code == 3
    require_inert(ending.err)
    assert "ingest or generate these domains again" in ending.error


def test_an_error_line_shows_markup_as_it_is(rfmeta, tmp_path):
    assert "[/red] does not exist" in rfmeta("train", tmp_path / "[/red]").error
    assert "\\x1b]0;x" in rfmeta("train", tmp_path / "\x1b]0;x").error


def test_a_log_keeps_its_colours_and_lines_and_nothing_else(capsys):
    from rfmeta_dist.cli.terminal import show_log

    show_log("\x1b[1;31mred\x1b[0m\tend\r\n\x1b]0;title\x07\x1b[2J\x1b[H\x9b2J\u202e\n")
    shown = capsys.readouterr().out
    assert shown.startswith("\x1b[1;31mred\x1b[0m\tend\r\n\\x1b]0;title\\x07\\x1b[2J\\x1b[H\\x9b2J\\u202e\n")
    assert shown.endswith("\x1b[0m")  # a colour does not outlive the log


def test_every_command_prints_through_the_one_door():
    doors = {"print", "echo", "secho", "style", "confirm", "prompt", "add_row", "input"}
    bypasses = []
    for path in CLI.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            name = getattr(called, "id", None) or getattr(called, "attr", None)
            streams = isinstance(node, ast.Attribute) and node.attr in (
                "stdout",
                "stderr",
                "__stdout__",
                "__stderr__",
            )
            if path.name != "terminal.py" and (name in {*doors, "Console", "Table", "from_markup"} or streams):
                bypasses.append(f"{path.name}:{node.lineno}")  # type: ignore[attr-defined]
    assert bypasses == []


def run(*arguments: object, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, check=False, stderr=subprocess.PIPE, **how)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    "line",
    ["--help", "example --json", "shards ls P"],
)
def test_a_reader_that_has_gone_ends_the_command_quietly(packed, line):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ending = run(*line.replace("P", str(packed)).split(), stdout=writer)
    finally:
        os.close(writer)
    assert ending.returncode in QUIET
    assert ending.stderr == b""


def test_prose_to_a_reader_that_has_gone_ends_quietly_too(packed):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "shards", "verify", packed]
    ending = subprocess.run(command, check=False, stderr=writer, stdout=subprocess.PIPE)
    os.close(writer)
    assert (ending.returncode in QUIET, ending.stdout) == (True, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("line", ["example demo", "shards ls P --json", "shards ls P"])
def test_an_output_that_cannot_be_written_is_one_line(packed, line):
    with Path("/dev/full").open("wb") as full:
        ending = run(*line.replace("P", str(packed)).split(), stdout=full)
    assert ending.returncode == 4
    assert ending.stderr.startswith(b"error ")
    assert ending.stderr.count(b"\n") == 1


def test_a_stdout_that_was_closed_before_is_no_error(packed):
    program = f'{sys.executable} -c "from rfmeta_dist.cli import main; main()"'
    for line in ("example demo", f"shards ls {packed}", f"shards ls {packed} --json"):
        ending = subprocess.run(f"{program} {line} >&-", shell=True, check=False, stderr=subprocess.PIPE)
        assert (ending.returncode, ending.stderr) == (0, b"")


ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


LATIN = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        (
            ASCII,
            (
                "--help",
                "train --help",
                "example M",
                "shards stats P --subjects",
                "shards ls P",
                "shards verify P",
                "shards stats P --subjects --json",
                "example demo --json",
            ),
        ),
        (LATIN, ("--help", "shards stats P --subjects", "shards stats P --subjects --json")),
    ],
)
def test_names_outside_ascii_are_printed_under_any_locale(tmp_path, variables, lines):
    prefix = tmp_path / "Zoë"
    samples = [
        replace(s, subject=f"A-Зоя→{s.subject}")
        for s in make_samples("A", {"train": (6, 6), "validation": (3, 3)})
    ]
    pack(samples, open_store(str(prefix)), "A", contract={})
    for line in lines:
        ending = run(
            *line.replace("P", str(prefix)).split(), stdout=subprocess.PIPE, env=os.environ | variables
        )
        assert (ending.returncode, b"Traceback" in ending.stderr) == (0, False), (line, ending.stderr)
        if "--json" in line:
            assert json.loads(ending.stdout)


def test_a_name_that_cannot_be_stored_is_one_line_with_a_remedy(config, tmp_path):
    for variables, name in ((ASCII, "Zoë"), ({}, os.fsdecode(b"Zo\xeb"))):
        folder = tmp_path / name
        ending = run(
            "train", config, "--set", f"run.folder={folder}", stdout=subprocess.PIPE, env=os.environ | variables
        )
        assert ending.returncode == 2, ending.stderr
        assert ending.stderr.startswith(b"error "), ending.stderr
        assert b"PYTHONUTF8=1" in ending.stderr


def test_a_line_of_progress_says_the_time_that_is_left():
    now = [0.0]
    bars = Progress(get_time=lambda: now[0])
    task = bars.add_task("training", total=100)
    said = []
    for done in range(101):
        bars.update(task, completed=done)
        said.append(time_left(bars, task))
        now[0] += 10
    assert said[0] == ""
    assert said[10] == ", 15.0 minutes left"
    assert said[97] == ", 30 seconds left"
    assert said[100] == ""


@pytest.mark.parametrize(
    "asked", ["s3://pages/team/report.html", "/tmp/pages/report.html", "pages/report.html"]
)
def test_a_page_goes_where_it_was_asked_for(asked):
    folder, name = place_of(Path(asked), "a file for the page")
    assert name == "report.html"
    assert folder.url == open_store(asked.rpartition("/")[0]).url
