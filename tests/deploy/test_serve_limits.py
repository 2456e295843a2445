"""Hostile and slow clients get an error, keep no memory, and do not keep others from being served."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.deploy.serving import Service, received, served
from tests.deploy.test_serve import PICTURES

MIB = 1 << 20
BODY_S, ARRIVAL_S = 2.0, 4.0  # seconds, instead of 20 and 30
LARGE = cv2.imencode(".png", np.full((1500, 2000, 3), 110, np.uint8))[1].tobytes()  # takes a while to score
HEAD = b"POST /score HTTP/1.1\r\nHost: here\r\n"


@pytest.fixture(scope="module")
def service(package: Path) -> Iterator[Service]:
    """A service that takes bodies of 1 MiB and is impatient."""
    with served(package, "--threads", 2, "--max-body", 1, BODY_S=BODY_S, ARRIVAL_S=ARRIVAL_S) as found:
        # What the threads' allocators keep after a first large picture is no growth.
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: found.ask("/score", LARGE), range(6)))
        found.ask("/score", PICTURES["live"])
        yield found


@pytest.fixture(autouse=True)
def others_are_served(service: Service) -> Iterator[None]:
    """After each test, another client gets its score, nothing is left in work, and memory has not grown."""
    before = service.memory()
    yield
    assert service.ask("/score", PICTURES["live"]).json["verdict"] == "live"
    found = service.metrics()
    assert found["rfmeta_pictures_in_work"] == found["rfmeta_pictures_waiting"] == 0
    assert service.memory() < before + 60


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("length", [10 << 30, 10**19])
def test_a_body_that_claims_to_be_huge_is_refused_before_it_is_sent(service: Service, length: int):
    with service.connect(HEAD + b"Content-Length: %d\r\n\r\n" % length) as client:
        answer = received(client)
    assert status(answer) == 413
    assert b"--max-body" in answer


def test_a_client_that_asks_first_is_refused_before_it_sends(service: Service):
    asks = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (MIB + 1)
    with service.connect(asks) as client:
        assert status(received(client)) == 413


def test_a_client_that_sends_a_little_too_much_learns_why_it_is_refused(service: Service):
    assert service.ask("/score", bytes(2 * MIB)).status == 413
    assert service.ask("/score", bytes(MIB)).status == 415  # it is within the limit, and no picture


def sent_until_cut(client: socket.socket, piece: bytes, most: int, pause: float = 0) -> int:
    """Send a piece again and again; return how many bytes were sent until the other side closed."""
    sent = 0
    try:
        while sent < most:
            client.sendall(piece)
            sent += len(piece)
            time.sleep(pause)
    except OSError:
        return sent
    raise AssertionError(f"the service took {sent} bytes")


def test_a_body_without_end_is_cut_off(service: Service):
    with service.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as client:
        sent = sent_until_cut(client, b"10000\r\n" + bytes(1 << 16) + b"\r\n", 200 * MIB)
    assert sent < 40 * MIB  # two that were read, and what the system's buffers took


def test_a_body_of_single_bytes_takes_no_more_memory_than_its_length(service: Service):
    with service.connect(HEAD + b"Transfer-Encoding: chunked\r\n\r\n") as client:
        for _ in range(20):
            client.sendall(b"1\r\nx\r\n" * 1000)
        client.sendall(b"0\r\n\r\n")
        assert status(client.recv(1 << 16)) == 415


def test_a_body_that_is_shorter_than_it_claims_is_waited_for_in_vain(service: Service):
    began = time.monotonic()
    with service.connect(HEAD + b"Content-Length: 1000\r\n\r\nabc") as client:
        answer = received(client)
    assert status(answer) == 408
    assert BODY_S <= time.monotonic() - began < ARRIVAL_S


def test_what_follows_a_body_that_is_longer_than_it_claims_is_no_request(service: Service):
    asks = b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n"
    with service.connect(asks) as client:
        first, _, second = received(client).partition(b'{"live":true,"ready":true}')
    assert (status(first), status(second)) == (200, 400)


def test_a_request_that_does_not_come_is_cut(service: Service):
    def waited(head: bytes) -> tuple[bytes, float]:
        began = time.monotonic()
        with service.connect(head) as client:
            return received(client), time.monotonic() - began

    heads = [b"", b"POST /sc", HEAD, HEAD + b"X: y\r\n"]
    with ThreadPoolExecutor(len(heads)) as clients:  # the service waits as long for each, so they wait together
        for head, (answer, seconds) in zip(heads, clients.map(waited, heads), strict=True):
            assert answer == b"", head
            assert ARRIVAL_S - 0.1 <= seconds < ARRIVAL_S + 10, head


def test_a_head_that_comes_piece_by_piece_is_cut(service: Service):
    with service.connect(HEAD) as client:
        sent_until_cut(client, b"X: y\r\n", 6 * 5 * int(ARRIVAL_S + 20), 0.2)


def test_a_body_that_nobody_reads_is_cut(service: Service):
    # It belongs to a request that has its answer already.
    with service.connect(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") as client:
        assert status(client.recv(1 << 16)) == 200
        sent_until_cut(client, b"x", 5 * int(ARRIVAL_S + 20), 0.2)


def test_headers_without_end_are_refused(service: Service):
    with service.connect(HEAD) as client:
        client.sendall(b"X: " + b"y" * (1 << 15))
        assert status(received(client)) == 400


def test_more_scans_than_any_camera_writes_are_refused_at_once(service: Service):
    small = cv2.imencode(".jpg", np.full((64, 64, 3), 110, np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    data = small[1].tobytes()
    last = data[data.rindex(b"\xff\xda") : -2]
    answer = service.ask("/score", data[:-2] + 5000 * last + data[-2:])
    assert (answer.status, "more than 100 scans" in answer.json["error"]) == (422, True)


def test_requests_beyond_those_that_may_wait_are_told_to_come_again(service: Service):
    clients = 40  # 2 pictures in work and 16 that wait are the most
    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(lambda _: service.ask("/score", LARGE), range(clients)))
    found = {answer.status for answer in answers}
    assert found == {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= 18
    busy = next(answer for answer in answers if answer.status == 503)
    assert (busy.headers["retry-after"], "waiting" in busy.json["error"]) == ("1", True)


def test_a_client_that_left_is_not_scored(service: Service):
    before = service.metrics().get('rfmeta_requests_total{outcome="gone",status="499"}', 0)
    with ThreadPoolExecutor(4) as pool:
        staying = [pool.submit(service.ask, "/score", LARGE) for _ in range(4)]
        time.sleep(0.3)
        for _ in range(6):
            service.connect(HEAD + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE).close()
        assert {one.result().status for one in staying} == {200}
    until = time.monotonic() + 20
    while time.monotonic() < until and service.metrics()["rfmeta_pictures_in_work"]:
        time.sleep(0.1)
    assert service.metrics()['rfmeta_requests_total{outcome="gone",status="499"}'] > before


def test_connections_beyond_the_limit_are_closed_and_the_others_live(package: Path):
    with served(package, "--threads", 1, CONNECTIONS=20) as small:
        opened: list[socket.socket] = [small.connect() for _ in range(20)]
        with small.connect(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n") as late:
            assert received(late) == b""
        opened[0].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(opened[0].recv(1 << 16)) == 200
        for one in opened:
            one.close()
        time.sleep(0.5)
        assert small.ask("/health").status == 200
