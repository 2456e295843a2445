"""Choose the ports of the services, and say who has a port that is taken."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from pathlib import Path

from rfmeta_dist.core.errors import ConfigError

# Ports that a person types or bookmarks stay the same; the others are any free ones.
FIXED = {"dashboard": 28265, "tracking": 28500, "prometheus": 28909, "metrics": 28910}
FREE = ("gcs", "client")
_LISTENING = "0A"


def choose(asked: Mapping[str, int], services: set[str], host: str) -> dict[str, int]:
    """Return the port of each service.

    Args:
        asked: ports by name; 0 means any free one. A name that is missing gets its usual port.
        services: names of `FIXED` that will be started.
        host: address on which the dashboard will listen.

    Raises:
        ConfigError: a port is taken, and the error says by which process; or a name is unknown.
    """
    unknown = sorted(set(asked) - set(FIXED))
    if unknown:
        raise ConfigError(f"there is no service {unknown[0]!r} with a port", f"use one of {', '.join(FIXED)}")
    chosen = {name: free() for name in FREE}
    for name in sorted(services & set(FIXED)):
        port = asked.get(name, FIXED[name])
        if port:
            _require_free(name, port, host if name == "dashboard" else "127.0.0.1")
        chosen[name] = port or free()
    return chosen


def free() -> int:
    """Return a port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _require_free(name: str, port: int, host: str) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise ConfigError(
                f"nothing can listen on {host}:{port}: {error}",
                "choose an address of this machine with --host, or another port",
            ) from None
        raise ConfigError(
            f"port {port} of the {name} is taken by {holder(port) or 'a process of another user'}",
            f"end that process, or choose another port with --port {name}=NUMBER (0 is any free one)",
        ) from None


def holder(port: int) -> str:
    """Return number and name of the process that listens on a port; empty if it is not found."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{fields[9]}]")
    for place in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(place.readlink()) in sockets:
                process = place.parents[1]
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
        except OSError:
            continue
    return ""
