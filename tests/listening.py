"""Find the addresses that processes listen on, from /proc."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LISTEN = "0A"  # the state of a socket in /proc/net/tcp
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def listening(processes: Iterable[int]) -> list[tuple[int, Address, int]]:
    """Return process, address and port of every TCP socket that one of the processes listens on."""
    sockets = {}
    for name in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):  # a machine without IPv6
            for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
                _, local, _, state, *rest = line.split()
                if state == LISTEN:
                    sockets[rest[5]] = local
    found = []
    for process in processes:
        for inode in _sockets(process):
            if inode in sockets:
                host, _, port = sockets[inode].partition(":")
                found.append((process, _address(host), int(port, 16)))
    return found


def public(processes: Iterable[int]) -> list[tuple[int, Address, int]]:
    """Return those of the sockets that other machines can reach."""
    return [one for one in listening(processes) if not _loopback(one[1])]


def _loopback(address: Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _sockets(process: int) -> list[str]:
    found = []
    with suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                if number := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                    found.append(number[1])
    return found


def _address(text: str) -> Address:
    """Return the address of a text of /proc/net/tcp, whose words of four bytes are in the machine's order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))
