"""What `rfmeta serve` does under load: requests a second, waiting, memory, and what becomes of hostile clients.

    python -m bench.serve deployed/ --out bench/results/serve.json

A real process serves the package. Four clients send pictures of 640×480 pixels with generated faces, one after
the other, first alone and then twice with hostile clients beside them. Before and after, the same pictures are
scored by `Scorer` in this process with as many threads, to show what HTTP adds. The clients run on the same
machine, so part of its cores is theirs; the load of the machine stands beside the figures.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.hostile import Address, cases, ended, slow
from bench.result import give

CLI = "import sys; sys.argv[1:] = {arguments!r}; from rfmeta_dist.cli import main; main()"
WARM_S, DIRECT_S = 5.0, 15.0
SLOW = 20  # connections that send the beginning of a request and no more
REST_S = 10.0  # for what is still in work
ALONE, HOSTILE = "clients alone", ("beside hostile ones", "beside hostile ones again")


def main() -> None:
    """Run all phases, print a table, and write the result."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", help="folder that rfmeta export wrote")
    parser.add_argument("--seconds", type=float, default=60, help="of each phase (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=4, help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="of the service (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the result")
    options = parser.parse_args()
    pictures = _pictures()
    found: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "package": Path(options.package).name, "threads": options.threads},
        "direct, before": _direct(options.package, options.threads, pictures),
    }
    with _served(options.package, options.threads) as (process, address):
        _load(address, options.clients, WARM_S, pictures)
        found["at rest, before"] = _state(process)
        found[ALONE] = _phase(process, address, options, pictures)
        found["at rest, after clients"] = _state(process)
        told: dict[str, Counter[str]] = {}
        for phase in HOSTILE:
            waiting = slow(address, SLOW)
            with _beside(lambda over: _attack(address, pictures[0], told, over)):
                found[phase] = _phase(process, address, options, pictures)
            told.setdefault("slow head or body", Counter()).update(ended(waiting))
            time.sleep(REST_S)
            found[f"at rest, after {phase}"] = _state(process)
        found["hostile"] = {name: dict(words) for name, words in told.items()}
        process.send_signal(signal.SIGTERM)
        found["exit code"] = process.wait(60)
    found["direct, after"] = _direct(options.package, options.threads, pictures)
    _show(found)
    give(found, options.out)


def _phase(
    process: psutil.Popen, address: Address, options: argparse.Namespace, pictures: list[bytes]
) -> dict[str, Any]:
    before = _core_seconds(process)
    found = _load(address, options.clients, options.seconds, pictures)
    found["core ms a picture"] = round(1000 * (_core_seconds(process) - before) / found["requests"], 1)
    return found


def _load(address: Address, clients: int, seconds: float, pictures: list[bytes]) -> dict[str, Any]:
    """Let clients ask for a while; return their rate, how long they waited, and what they were told."""
    until = time.monotonic() + seconds

    def client(number: int) -> tuple[list[float], Counter[int]]:
        waited, told = [], Counter[int]()
        connection = http.client.HTTPConnection(*address, timeout=60)
        for picture in cycle(pictures[number:] + pictures[:number]):
            start = time.perf_counter()
            connection.request("POST", "/score", picture)
            answer = connection.getresponse()
            answer.read()
            waited.append(time.perf_counter() - start)
            told[answer.status] += 1
            if time.monotonic() > until:
                break
        connection.close()
        return waited, told

    start = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        results = list(pool.map(client, range(clients)))
    passed = time.monotonic() - start
    waited = np.concatenate([seconds for seconds, _ in results])
    told = sum((counts for _, counts in results), Counter[int]())
    return {
        "requests": len(waited),
        "requests a second": round(len(waited) / passed, 2),
        "p50 ms": round(1000 * float(np.quantile(waited, 0.5)), 1),
        "p99 ms": round(1000 * float(np.quantile(waited, 0.99)), 1),
        "statuses": {str(status): count for status, count in told.items()},
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def _direct(package: str, threads: int, pictures: list[bytes]) -> dict[str, Any]:
    """Score the same pictures without HTTP, in this process."""
    import cv2

    from rfmeta_dist.deploy.scorer import Scorer

    cv2.setNumThreads(1)
    scorer, until, count = Scorer(package), time.monotonic() + DIRECT_S, 0
    start, used = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        while time.monotonic() < until:
            count += len(list(pool.map(scorer.score, pictures)))
    return {
        "pictures a second": round(count / (time.monotonic() - start), 2),
        "core ms a picture": round(1000 * (time.process_time() - used) / count, 1),
        "load of the machine": round(os.getloadavg()[0], 1),
    }


def _attack(address: Address, picture: bytes, outcomes: dict[str, Counter[str]], over: threading.Event) -> None:
    """Let one hostile client after the other have its way until the event is set."""
    for name, attempt in cycle(cases(picture).items()):
        if over.is_set():
            return
        outcomes.setdefault(name, Counter())[attempt(address)] += 1


@contextmanager
def _beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _served(package: str, threads: int) -> Iterator[tuple[psutil.Popen, Address]]:
    """Start the service on a free port; yield its process and address."""
    code = CLI.format(arguments=["serve", package, "--port", "0", "--threads", str(threads)])
    process = psutil.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"listening on http://(\S+):(\d+)", line):
                yield process, (found[1], int(found[2]))
                return
        raise SystemExit("the service ended before it listened")
    finally:
        if process.poll() is None:
            process.kill()


def _state(process: psutil.Popen) -> dict[str, Any]:
    """Return the memory in MiB, and the numbers of threads and open files."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    largest = re.search(r"VmHWM:\s+(\d+)", status)
    return {
        "memory MiB": round(process.memory_info().rss / 2**20),
        "largest memory MiB": round(int(largest[1]) / 1024) if largest else None,
        "threads": process.num_threads(),
        "open files": process.num_fds(),
    }


def _core_seconds(process: psutil.Popen) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _pictures() -> list[bytes]:
    """Return JPEG files of rooms with generated faces in them, live and in attacks."""
    import cv2

    from rfmeta_dist.data.shards.decode import decode_image
    from rfmeta_dist.synth.domains.scale import Scale
    from rfmeta_dist.synth.output.generate import plan, render

    side, found = 256, []
    scale = Scale("serve", side, {"*": {"train": 2, "validation": 1, "test": 1}}, 1, 1)
    for video in plan("O", scale, 0, None, 0.0)[:12]:
        room = np.full((480, 640, 3), 110, np.uint8)
        room[100 : 100 + side, 190 : 190 + side] = decode_image(render(video)[0].image, "jpg", (side, side))
        found.append(cv2.imencode(".jpg", room[..., ::-1])[1].tobytes())
    return found


def _show(found: dict[str, Any]) -> None:
    from rfmeta_dist.cli.terminal import show_table

    phases = (ALONE, *HOSTILE, "direct, before", "direct, after")
    names = (
        "requests a second",
        "pictures a second",
        "p50 ms",
        "p99 ms",
        "core ms a picture",
        "load of the machine",
    )
    rows = [[name, *(str(found[phase].get(name, "")) for phase in phases)] for name in names]
    show_table(["", *phases], rows)
    states = [name for name in found if name.startswith("at rest")]
    rows = [[name, *(str(found[state][name]) for state in states)] for name in found[states[0]]]
    show_table(["", *states], rows)
    show_table(
        ["hostile client", "what became of it"],
        [
            [name, ", ".join(f"{n} × {word}" for word, n in words.items())]
            for name, words in found["hostile"].items()
        ],
    )


if __name__ == "__main__":
    main()
