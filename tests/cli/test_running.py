"""What goes wrong while a real run is under way: one line, an exit code, and the same command goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import DataError, StorageError

LONGEST_S = 140  # for Ray to start and a run to fail, on a busy machine
EVERY = 25  # steps between checkpoints


class Command:
    """An `rfmeta train` of its own, in a process group such as a terminal would make."""

    def __init__(self, log: Path, config: Path, *settings: str) -> None:
        options = [part for setting in settings for part in ("--set", setting)]
        program = "from rfmeta_dist.cli import main; main()"
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "train", str(config), *options],
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever happened, nothing of it stays: a local Ray ends with its driver."""
        self.process.kill()
        self.process.wait()

    @property
    def said(self) -> str:
        """All it has printed so far."""
        return self._log.read_text()

    def wait_for(self, path: Path) -> None:
        """Until a file is there."""
        deadline = time.monotonic() + LONGEST_S
        while not path.exists():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """A signal to the group of this process and no other, as Ctrl-C sends one."""
        group = os.getpgid(self.process.pid)
        assert group == self.process.pid  # its own group, or the signal would reach others
        # Not the program `kill`: procps reads `kill -INT -1234` as `-1`, which is every process there is.
        os.killpg(group, number)

    def ended(self) -> int:
        """Its exit code, when it has one."""
        code = self.process.wait(LONGEST_S)
        assert "Traceback" not in self.said
        return code

    @property
    def error(self) -> str:
        """The one line that is its error, the last."""
        assert len(re.findall("^error ", self.said, re.MULTILINE)) == 1, self.said
        return self.said.splitlines()[-1]


def family(root: int) -> set[int]:
    """A process and all it has started, directly or not."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True)
    parents = {int(pid): int(parent) for pid, parent in map(str.split, table.stdout.splitlines())}
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


@pytest.mark.drill
def test_a_shard_damaged_under_a_run_is_named(config: Path, prefix: Path, tmp_path: Path):
    tar = next((prefix / "B" / "train").rglob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:-512])
    with Command(tmp_path / "log", config, f"data.prefix={prefix}") as command:
        assert command.ended() == DataError.exit_code, command.said
    assert tar.name in command.error
    assert "is damaged" in command.error
    assert "restore it from a backup, or ingest the domain again" in command.error
    assert not (tmp_path / "runs/r/model").exists()


@pytest.mark.drill
@pytest.mark.timeout(400)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_ends_everything_and_the_same_command_resumes_until_its_disk_is_full(
    config: Path, tmp_path: Path, small_disk
):
    disk = small_disk("4m")
    settings = (f"run.folder={disk}", "training.steps=200", f"training.checkpoint_every={EVERY}")
    with Command(tmp_path / "first", config, *settings) as command:
        command.wait_for(disk / f"r/step-{EVERY:07d}/state.json")
        started = family(command.process.pid)
        command.interrupt()
        assert command.ended() == 128 + signal.SIGINT, command.said
    assert len(started) > 5  # Ray's servers and workers were among them
    deadline = time.monotonic() + 10
    while alive(started) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(started)

    latest = last_whole(disk / "r")
    (disk / "ballast").write_bytes(bytes(room(disk) - 16_384))
    with Command(tmp_path / "second", config, *settings) as command:
        assert command.ended() == StorageError.exit_code, command.said
    assert re.search(r"checkpoint at step \d+ cannot be written", command.error)
    assert "free some space on that disk and give the same command again" in command.error
    # It reports every twentieth step; a run from the start would have reported step 20.
    steps = [int(done) for done in re.findall(r"  (\d+)/200  loss", command.said)]
    assert min(steps) > latest >= EVERY
    assert last_whole(disk / "r") >= latest
    assert not (disk / "r/model").exists()


@pytest.mark.drill
def test_sigterm_ends_a_run_with_its_own_code_and_no_stack_of_rays(config: Path, tmp_path: Path):
    with Command(tmp_path / "log", config, "training.steps=5000", "training.checkpoint_every=5") as command:
        command.wait_for(tmp_path / "runs/r/step-0000005/state.json")
        command.process.send_signal(signal.SIGTERM)  # to this process alone, as Slurm and kubelet do
        assert command.ended() == 128 + signal.SIGTERM, command.said
    assert "SIGTERM" not in command.said
    assert "@     0x" not in command.said


def last_whole(run: Path) -> int:
    """The step of the newest checkpoint that was written to its end."""
    return max(json.loads(path.read_text())["step"] for path in run.glob("step-*/state.json"))


@pytest.mark.drill
def test_a_full_temp_folder_does_not_stop_a_training(config: Path, tmp_path: Path, small_disk, monkeypatch):
    disk = small_disk("64k")
    (disk / "ballast").write_bytes(bytes(room(disk) - 8192))  # room to be taken for a temp folder, no more
    monkeypatch.setenv("TMPDIR", str(disk))
    with Command(tmp_path / "log", config) as command:
        command.ended()  # in an error, since these samples are fit for training and for no threshold
    assert "full" not in command.said
    assert last_whole(tmp_path / "runs/r") == 4


def room(disk: Path) -> int:
    stat = os.statvfs(disk)
    return stat.f_bavail * stat.f_bsize
