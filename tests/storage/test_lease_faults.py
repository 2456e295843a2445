"""A lease where answers are lost, the server hangs, or the system hides other users' processes."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import RunError, StorageError
from rfmeta_dist.storage import lease, open_store
from rfmeta_dist.storage.local import LocalStore


@dataclass(frozen=True)
class Forgetful(LocalStore):
    """A store that keeps what it is given; each item of `lost` stands for an answer to `replace` to be lost."""

    lost: list[int] = field(default_factory=list)

    def replace(self, name: str, data: bytes, tag: str) -> str:
        now = super().replace(name, data, tag)
        if self.lost:
            self.lost.pop()
            raise StorageError("no answer", "try again")
        return now


def parsed(store: LocalStore) -> lease.Holder:
    found = lease.Holder.parse(store.read(lease.NAME))
    assert found is not None
    return found


def test_a_lost_answer_does_not_end_the_renewals(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(lease, "RENEW_S", 0.1)
    store = Forgetful(str(tmp_path), [1])
    with lease.held(store, "trained") as mine:
        time.sleep(1)
        assert store.lost == []
        assert parsed(store).renewals >= 3
        lease.require(store, mine.token)
        store.lost.append(1)
        time.sleep(0.5)
    assert parsed(store).released


@pytest.mark.timeout(60)
def test_a_server_that_hangs_holds_a_renewal_up_for_less_than_the_lease_lasts(s3, monkeypatch):
    store = open_store(f"s3://tests/{uuid4().hex}")
    held = lease.held(store, "trained")
    held.__enter__()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        held.__exit__(None, None, None)
        assert time.monotonic() - started < lease.STALE_S / 2


@pytest.fixture
def hidden(monkeypatch) -> Iterator[subprocess.Popen[bytes]]:
    """A process that /proc does not show, as the option `hidepid` hides those of other users."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    shown = Path.read_text

    def read_text(path: Path) -> str:
        if str(path) == f"/proc/{process.pid}/stat":
            raise FileNotFoundError(errno.ENOENT, "hidden", str(path))
        return shown(path)

    monkeypatch.setattr(Path, "read_text", read_text)
    yield process
    process.kill()
    process.wait()


def test_a_holder_that_proc_hides_is_watched_and_a_dead_one_is_not(tmp_path: Path, monkeypatch, hidden):
    monkeypatch.setattr(lease, "RENEW_S", 0.2)
    monkeypatch.setattr(lease, "STALE_S", 3.0)
    store = open_store(str(tmp_path))
    holder = replace(lease.Holder.me("trained"), pid=hidden.pid, born="1", token="its")
    store.write(lease.NAME, holder.to_bytes())
    renewal = replace(holder, renewals=1).to_bytes()
    threading.Timer(0.5, store.write, (lease.NAME, renewal)).start()
    with pytest.raises(RunError, match=f"is being trained already, by process {hidden.pid} on"):
        lease.held(store, "trained").__enter__()
    hidden.kill()
    hidden.wait()
    started = time.monotonic()
    with lease.held(store, "trained"):
        assert time.monotonic() - started < lease.STALE_S
