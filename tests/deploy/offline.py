"""Score a picture by command line and over HTTP in a network namespace of its own, where only loopback works.

    unshare --map-root-user --net python -m tests.deploy.offline PACKAGE PICTURE

It prints, as JSON, both results and how often any process in the namespace tried to reach another machine. The
kernel counts these attempts, so those of native code and those whose errors are ignored are found too.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import sys
from contextlib import suppress
from pathlib import Path

from tests.deploy.serving import served
from tests.lighter import absent, rfmeta

_SET_FLAGS, _UP = 0x8914, 1  # of Linux


def loopback_up() -> None:
    """Switch on the loopback device, which is off in a new namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def attempts() -> int:
    """Return how often a connection or packet to an address outside was begun: there was no route."""
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    return int(values[names.index("OutNoRoutes")])


def main(package: Path, picture: Path) -> None:
    """Score the picture in both ways."""
    loopback_up()
    with socket.socket() as outside, suppress(OSError):
        outside.connect(("192.0.2.1", 443))
    control = attempts()
    command = json.loads(rfmeta(absent(), "score", package, picture, "--json").stdout)
    with served(package, "--threads", 1) as service:
        answer = service.ask("/score", picture.read_bytes())
        metrics = service.ask("/metrics").status
        ended = service.end()[0]
    found = {"command": command, "answer": answer.json, "metrics": metrics, "ended": ended}
    print(json.dumps({**found, "control": control, "attempts": attempts() - control}))  # noqa: T201


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
