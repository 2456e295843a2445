"""Parts are the same however often their writing was interrupted, and need no more memory for more files."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.deploy.files import Entry, walk
from rfmeta_dist.deploy.parts import LEFT_OUT, PROGRESS, begun, encode_csv, write
from rfmeta_dist.deploy.results import Decision, Refused, Scored
from rfmeta_dist.deploy.sweep import FileResult
from rfmeta_dist.ingest.face import Box
from rfmeta_dist.storage.store import open_store
from tests.ingest.clips import scene, write_still

RULE = Decision(0.5, "frame", None, "a test")
ROOT = Path(__file__).parents[2]


def scored(entries: Iterable[Entry]) -> Iterator[FileResult]:
    """A score for every second file; the others are refused."""
    for entry in entries:
        value = len(entry.name) / 100
        refused = Refused("no_face", "No face was found.")
        face = Scored(value, RULE.verdict(value), RULE, Box(1, 2, 3.26, 4))
        odd = entry.name[-1] in "13579"
        score, verdict = (None, "refused") if odd else (face.score, face.verdict)
        frames = ((0, refused if odd else face),)
        yield FileResult(entry.name, "picture", frames, score, verdict, RULE, refused if odd else None)


def some(folder: Path, files: int) -> Path:
    for number in range(files):
        path = os.path.join(os.fsencode(folder), b"\xff%d" % (number % 3), b"f%d" % number)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"")
    return folder


def go_on(folder: Path, out: Path, until: int | None = None) -> bool:
    """Score the files of a folder that are left, and stop in the middle of a part if told so."""
    store = open_store(str(out))
    state = begun(store, {"folder": str(folder)})
    entries = walk(str(folder), tuple(state.after) if state.after else None)
    for number, _ in enumerate(write(store, state, entries, scored, 4, encode_csv, "csv")):
        if number == until:
            return False
    return state.done


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".partial")}


@pytest.mark.parametrize("files", [0, 3, 8, 22])
def test_parts_are_the_same_after_any_interruptions(tmp_path: Path, files: int):
    folder = some(tmp_path / "files", files)
    folder.mkdir(exist_ok=True)
    assert go_on(folder, tmp_path / "whole")
    whole = content(tmp_path / "whole")
    state = json.loads(whole[PROGRESS])
    assert (state["files"], state["parts"]) == (files, max(1, -(-files // 4)))
    for until in range(9):
        out, rounds = tmp_path / f"until-{until}", 0
        while not go_on(folder, out, until if rounds < 2 else None):
            rounds += 1
        assert (rounds > 0) == (until < files)
        assert content(out) == whole


def test_a_part_that_was_written_but_not_noted_is_written_again(tmp_path: Path):
    folder = some(tmp_path / "files", 8)
    assert go_on(folder, tmp_path / "out")
    whole = content(tmp_path / "out")
    state = json.loads(whole[PROGRESS])
    (tmp_path / "out" / PROGRESS).write_text(
        json.dumps({"format": 1, "asked": state["asked"], "parts": 0, "after": None, "files": 0})
    )
    (tmp_path / "out/scores-00000.csv").write_bytes(b"half of a")
    assert go_on(folder, tmp_path / "out")
    assert content(tmp_path / "out") == whole


def test_a_name_with_any_character_is_one_cell_of_the_csv():
    names = ["a\rb.jpg", "a\nb.jpg", "a\r\nb.jpg", 'a",b.jpg', "a b.jpg", "\r"]
    text = encode_csv(LEFT_OUT, [(name, None, "gone", "It is gone.") for name in names]).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["video"] for row in rows] == names
    assert {(row["frame"], row["reason"], row["words"]) for row in rows} == {("", "gone", "It is gone.")}


def test_other_settings_do_not_continue_the_parts(tmp_path: Path):
    assert go_on(some(tmp_path / "files", 2), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"begun with folder .*files, not .*other as now"):
        go_on(some(tmp_path / "other", 2), tmp_path / "out")


FILES, EVERY = 20_000, 40  # one file in so many is a picture; the others are texts, which are soon refused


@pytest.mark.drill
@pytest.mark.timeout(1500)
def test_twenty_thousand_files_are_scored_alike_by_a_command_that_is_killed_twice(
    package: Path, tmp_path: Path
):
    photo = write_still(tmp_path / "photo.png", scene((0, 140, 60)))
    text = tmp_path / "text"
    text.write_text("no picture\n")
    small, large = tmp_path / "small", tmp_path / "large"
    for folder, count in ((small, FILES // 10), (large, FILES)):
        for number in range(count):
            path = folder / f"{number % 100:02d}/{number:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(text if number % EVERY else photo, path)
    few, _ = run(package, small, tmp_path / "few")
    many, whole = run(package, large, tmp_path / "whole")
    out = tmp_path / "killed"
    for part in (7, 15):
        kill(package, large, out, part)
        assert not json.loads((out / PROGRESS).read_text())["done"]
    _, killed = run(package, large, out)
    assert killed == whole
    assert len(whole) == 2 * FILES // 500 + 1
    assert many < few + 8, (few, many)  # MiB: ten times the files


def command(package: Path, folder: Path, out: Path) -> list[str]:
    code = "import sys; sys.argv[0] = 'rfmeta'; from rfmeta_dist.cli import main; main()"
    return [sys.executable, "-c", code, "score", *map(str, (package, folder, "--out", out, "--part", 500))]


def run(package: Path, folder: Path, out: Path) -> tuple[float, dict[str, bytes]]:
    """Return the largest memory of the command in MiB, and what it wrote."""
    with subprocess.Popen(command(package, folder, out), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        most = 0.0
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            most = max(most, int(found[1]) / 1024 if found else 0)
            time.sleep(0.05)
    assert process.returncode == 0
    return most, content(out)


def kill(package: Path, folder: Path, out: Path, part: int) -> None:
    """Start the command, and kill it while it works on a part."""
    with subprocess.Popen(command(package, folder, out), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while not (out / f"scores-{part:05d}.csv").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
