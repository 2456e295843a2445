"""Exclude loopback addresses from web proxies. A proxy would connect to its own machine instead of this one."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

# urllib and botocore compare an IPv6 address with its brackets, requests and aiohttp without them.
_HOSTS = ("localhost", "127.0.0.1", "::1", "[::1]")
# Programs read the lower-case name first. gRPC reads a variable of its own before these two.
_GRPC = "no_grpc_proxy"
_EXEMPTIONS = (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy"))


def bypass_proxies(*urls: str) -> None:
    """Exclude loopback addresses from the web proxies of this process and of the processes that it starts.

    The function adds to the environment variables no_proxy and NO_PROXY, and to no_grpc_proxy if that is set.
    Entries that are there already stay. Nothing changes if the environment names no proxy, because no_proxy
    alone would make Python ignore the proxies in the system settings of macOS.

    Args:
        urls: addresses in use; those on loopback, such as http://127.0.0.2:9000, are excluded too.
    """
    proxies = {name.lower() for name, value in os.environ.items() if value}
    if not proxies & {"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"}:
        return
    hosts = [*_HOSTS, *(host for host in map(_host, urls) if _is_loopback(host))]
    # Read both variables before writing either: one that is not set takes the value of the other.
    held = {name: os.environ.get(name) or os.environ.get(other, "") for name, other in _EXEMPTIONS}
    if _GRPC in os.environ:
        held[_GRPC] = os.environ[_GRPC]
    for name, value in held.items():
        os.environ[name] = _with(value, hosts)


def _with(exempt: str, hosts: list[str]) -> str:
    """Return the value of a no_proxy variable, extended by the hosts that it does not list yet."""
    there = [part.strip() for part in exempt.split(",") if part.strip()]
    if "*" in there:
        return exempt
    return ",".join(dict.fromkeys([*there, *hosts]))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # a malformed URL is reported by the code that connects to it
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
