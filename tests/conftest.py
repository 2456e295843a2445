"""Define fixtures and settings for all tests."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# A busy machine pauses a test for longer than Hypothesis allows an example to take.
settings.register_profile("busy", deadline=None, max_examples=50)
settings.load_profile("busy")

# A shell starts background commands with SIGINT ignored, which their children inherit. Tests send Ctrl-C.
with suppress(ValueError):  # not in the main thread
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

# The tensors of tests are small: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Folders whose tests share a Ray, generated domains, packages or teams of workers: one process makes them.
TOGETHER = {
    "tests/bench": "generated domains",
    "tests/cluster": "a Ray",
    "tests/deploy": "a package",
    "tests/export": "packages",
    "tests/strategy": "teams",
    "tests/verification": "teams",
}
# A file of few tests is handed out last. This one takes long, and the other process would wait for it.
BESIDE = {"tests/cli/test_whole_way.py": "tests/cli/test_mistakes.py"}

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from rfmeta_dist.ingest.face import Faces
    from rfmeta_dist.storage.embedded import EmbeddedS3


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Divide the tests among processes by file, but keep folders together that share what is slow to make."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return BESIDE.get(file) or TOGETHER.get(file.rpartition("/")[0], file)

    return ByFile(config, log)


@pytest.fixture(scope="session")
def s3() -> Iterator[EmbeddedS3]:
    """Start a real S3 server with the bucket `tests`. Each test must use its own prefix."""
    from rfmeta_dist.storage.embedded import embedded_s3

    with (
        tempfile.TemporaryDirectory(prefix="rfmeta-s3-") as folder,
        embedded_s3(Path(folder)) as server,
    ):
        server.make_bucket("tests")
        yield server


@pytest.fixture(scope="session")
def faces_installed() -> None:
    """Install the face models as a user would; tests that need them are skipped where they cannot be had."""
    from rfmeta_dist.core.errors import ConfigError
    from rfmeta_dist.ingest.models import install

    try:
        install()
    except ConfigError as error:
        pytest.skip(f"the face models cannot be had: {error}")


@pytest.fixture(scope="session")
def faces(faces_installed: None) -> Faces:
    """Return detector and landmarks."""
    from rfmeta_dist.ingest.face import Faces

    return Faces()


@dataclass(frozen=True)
class Ending:
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Return the line of the error: the last, and the only one that says `error`."""
        lines = self.err.splitlines()
        assert [line.startswith("error ") for line in lines].count(True) == 1, self.err
        assert "Traceback" not in self.err
        return lines[-1]


@pytest.fixture
def rfmeta(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ending]:
    """Run a command in this process, through the entry point of `rfmeta`."""
    from rfmeta_dist.cli import main

    for module in (sys, threading):  # a command replaces them, and after the test they are as before
        monkeypatch.setattr(module, "excepthook", module.excepthook)

    def run(*arguments: object) -> Ending:
        monkeypatch.setattr(sys, "argv", ["rfmeta", *map(str, arguments)])
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return Ending(int(ending.value.code or 0), out, err)

    return run
