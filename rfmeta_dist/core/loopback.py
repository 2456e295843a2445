"""Keep requests to this machine away from web proxies, for which loopback would be their own machine."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

# urllib and botocore compare an IPv6 address with its brackets, requests and aiohttp without them.
_HOSTS = ("localhost", "127.0.0.1", "::1", "[::1]")
# Programs read the name in lower case first, and gRPC reads a name of its own before both.
_GRPC = "no_grpc_proxy"
_EXEMPTIONS = (("no_proxy", "NO_PROXY"), ("NO_PROXY", "no_proxy"))


def bypass_proxies(*urls: str) -> None:
    """Exempt loopback addresses from the web proxies of this process and of those that it starts.

    Extends the environment variables no_proxy and NO_PROXY, and no_grpc_proxy where it is set; what they hold
    stays. Nothing changes if the environment names no proxy, since an exemption alone would make Python ignore
    the proxies that macOS is configured with.

    Args:
        urls: addresses in use; those on loopback are exempt too, such as http://127.0.0.2:9000.
    """
    proxies = {name.lower() for name, value in os.environ.items() if value}
    if not proxies & {"http_proxy", "https_proxy", "all_proxy", "grpc_proxy"}:
        return
    hosts = [*_HOSTS, *(host for host in map(_host, urls) if _is_loopback(host))]
    # Both are read before either is written: the one that is not set takes over what the other holds.
    held = {name: os.environ.get(name) or os.environ.get(other, "") for name, other in _EXEMPTIONS}
    if _GRPC in os.environ:
        held[_GRPC] = os.environ[_GRPC]
    for name, value in held.items():
        os.environ[name] = _with(value, hosts)


def _with(exempt: str, hosts: list[str]) -> str:
    """The list of exemptions with those hosts that it lacks."""
    there = [part.strip() for part in exempt.split(",") if part.strip()]
    if "*" in there:
        return exempt
    return ",".join(dict.fromkeys([*there, *hosts]))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # whoever connects there explains it
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
