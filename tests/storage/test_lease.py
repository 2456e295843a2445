"""One process at a time writes into a run's folder; a dead one does not hold it."""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage import ChangedError, Store, lease, open_store
from tests.faults import Faults, proxy


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path / "store"))
    request.getfixturevalue("s3")
    return open_store(f"s3://tests/{uuid4().hex}")


@pytest.fixture
def renewing(monkeypatch):
    """Renewals come often; how long a holder may be silent stays, as a busy machine holds renewals up."""
    monkeypatch.setattr(lease, "RENEW_S", 0.2)


@pytest.fixture
def quick(monkeypatch, renewing):
    """A silent holder is soon taken over; for tests that wait for that."""
    monkeypatch.setattr(lease, "STALE_S", 0.6)


class TestReplace:
    def test_an_object_is_replaced_only_by_whoever_read_it_last(self, store: Store):
        store.create("x", b"0")
        _, first = store.read_tagged("x")
        second = store.replace("x", b"1", first)
        assert store.read_tagged("x") == (b"1", second)
        with pytest.raises(ChangedError, match=r"x has been changed by another writer"):
            store.replace("x", b"2", first)
        third = store.replace("x", b"2", second)
        assert store.read_tagged("x") == (b"2", third)
        assert store.list() == ["x"]

    def test_a_deleted_object_is_not_brought_back(self, store: Store):
        store.create("x", b"0")
        _, tag = store.read_tagged("x")
        store.delete("x")
        with pytest.raises(ChangedError):
            store.replace("x", b"1", tag)
        assert not store.exists("x")

    def test_of_many_writers_none_is_lost(self, store: Store):
        store.create("count", b"0")

        def add(_: int) -> None:
            while True:
                data, tag = store.read_tagged("count")
                try:
                    store.replace("count", str(int(data) + 1).encode(), tag)
                except ChangedError:
                    continue
                return

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, range(40)))
        assert store.read("count") == b"40"

    def test_a_replacement_whose_answer_was_lost_is_no_conflict(self, s3, monkeypatch, faulty):
        monkeypatch.setattr("rfmeta_dist.storage.s3.time.sleep", lambda _: None)
        store = open_store(f"s3://tests/{uuid4().hex}")
        store.create("x", b"0")
        _, tag = store.read_tagged("x")
        tag = store.replace("x", b"1", tag)  # the server is known to refuse by now
        with proxy(s3.endpoint, Faults(cut=1.0, times=1, within="PUT")) as ill:
            monkeypatch.setenv("AWS_ENDPOINT_URL", ill.endpoint)
            tag = store.replace("x", b"2", tag)
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
        assert store.read_tagged("x") == (b"2", tag)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 501 Not Implemented", b'HTTP/1.1 200 OK\r\nETag: "1"'])
    def test_a_server_without_if_match_is_noticed_and_compared_by_hand(self, s3, monkeypatch, answer: bytes):
        store = open_store(f"s3://tests/{uuid4().hex}")
        with server_without_if_match(s3.endpoint, answer) as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            store.create("x", b"0")
            _, first = store.read_tagged("x")
            second = store.replace("x", b"1", first)
            assert store.read_tagged("x") == (b"1", second)
            with pytest.raises(ChangedError):
                store.replace("x", b"2", first)
            assert (store.read("x"), store.list()) == (b"1", ["x"])


@contextmanager
def server_without_if_match(endpoint: str, answer: bytes) -> Iterator[str]:
    """A server that gives this answer to a put with `If-Match` and stores nothing then."""
    host, port = endpoint.removeprefix("http://").split(":")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            fields = dict(line.lower().split(b": ", 1) for line in head.splitlines()[1:])
            if b"expect" in fields:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = self.rfile.read(int(fields.get(b"content-length", 0)))
            if b"if-match" in fields:
                self.wfile.write(answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            kept = [x for x in head.splitlines() if not x.lower().startswith((b"connection", b"expect"))]
            with socket.create_connection((host, int(port))) as server:
                server.sendall(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + body)
                while piece := server.recv(1 << 16):
                    self.wfile.write(piece)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listener.server_address[1]}"
        listener.shutdown()


OTHER = """
import sys, time
from rfmeta_dist.storage import lease, open_store
with lease.held(open_store(sys.argv[1]), "trained"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other(store: Store):
    """Another process that holds the lease."""
    process = subprocess.Popen([sys.executable, "-c", OTHER, store.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_is_refused_at_once_with_host_process_and_start(store: Store, other):
    holder = json.loads(store.read(lease.NAME))
    started = time.monotonic()
    for attempt in (lambda: lease.refuse_if_held(store), lambda: lease.held(store, "trained").__enter__()):
        with pytest.raises(RunError) as caught:
            attempt()
        said = caught.value.problem
        assert f"process {other.pid} on {os.uname().nodename} since {holder['started']}" in said
        assert "is being trained already" in said
    assert time.monotonic() - started < lease.RENEW_S
    assert Holder(store).token == holder["token"]


def Holder(store: Store) -> lease.Holder:  # noqa: N802
    found = lease.Holder.parse(store.read(lease.NAME))
    assert found is not None
    return found


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_holder_of_this_machine_is_taken_over_at_once(store: Store, other, reaped: bool):
    other.send_signal(signal.SIGKILL)
    if reaped:
        other.wait()
    else:
        time.sleep(0.5)  # a zombie has a process number, and is dead all the same
    started = time.monotonic()
    with lease.held(store, "trained") as mine:
        assert time.monotonic() - started < lease.RENEW_S
        lease.require(store, mine.token)


def test_a_later_process_of_the_same_number_is_not_the_holder(store: Store):
    dead = replace(lease.Holder.me("trained"), born="1", token="old")
    store.write(lease.NAME, dead.to_bytes())
    with lease.held(store, "trained") as mine:
        assert mine.token != "old"


def elsewhere(store: Store, renewals: int = 0) -> lease.Holder:
    holder = replace(lease.Holder.me("trained"), machine="another", host="far", token="far", renewals=renewals)
    store.write(lease.NAME, holder.to_bytes())
    return holder


def test_a_holder_on_another_machine_is_refused_when_it_is_seen_to_live(store: Store, renewing):
    elsewhere(store)
    threading.Timer(0.5, elsewhere, (store, 1)).start()
    with pytest.raises(RunError, match=r"is being trained already, by process \d+ on far"):
        lease.held(store, "trained").__enter__()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]"])
def test_a_silent_holder_on_another_machine_is_taken_over_after_a_while(store: Store, quick, content, caplog):
    if content is None:
        elsewhere(store)
    else:
        store.write(lease.NAME, content)  # damaged
    started = time.monotonic()
    with lease.held(store, "trained") as mine:
        assert time.monotonic() - started >= lease.STALE_S
        assert "may still write into" in caplog.text
        lease.require(store, mine.token)


def test_a_lease_is_renewed_and_given_back_after_an_error_too(store: Store, renewing):
    def interrupted() -> None:
        with lease.held(store, "trained") as mine:
            time.sleep(1)
            assert Holder(store).renewals >= 2
            lease.require(store, mine.token)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Holder(store).released
    started = time.monotonic()
    with lease.held(store, "trained"):
        assert time.monotonic() - started < lease.STALE_S


def test_who_was_taken_over_is_told_so_before_writing_and_takes_nothing_back(store: Store, renewing):
    with lease.held(store, "trained") as mine:
        taken = elsewhere(store)
        time.sleep(0.5)
        with pytest.raises(RunError, match=r"was taken over by process \d+ on far"):
            lease.require(store, mine.token)
    assert asdict(Holder(store)) == asdict(taken)


def test_of_many_that_come_at_once_one_gets_it(store: Store):
    ready, done = threading.Barrier(6), threading.Event()

    def take(_: int) -> bool:
        ready.wait()
        try:
            with lease.held(store, "trained"):
                done.wait(20)
                return True
        except RunError:
            return False

    with ThreadPoolExecutor(6) as pool:
        won = [pool.submit(take, n) for n in range(6)]
        deadline = time.monotonic() + 20
        while sum(w.done() for w in won) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        done.set()
    assert [w.result() for w in won].count(True) == 1
