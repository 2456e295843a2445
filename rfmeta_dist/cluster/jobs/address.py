"""Turn what a user gives as a cluster's address into the URL of its dashboard, which answers the Jobs API."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from rfmeta_dist.core.errors import ConfigError

DEFAULT = "http://127.0.0.1:8265"
REMEDY = "give the URL of the cluster's Ray dashboard, such as http://head:8265"


def cluster_url(given: str | None) -> str:
    """Return the URL of the dashboard, without a slash at its end.

    Args:
        given: an address such as http://head:8265, head:8265 or https://ray.example.org/cluster/; a fragment
            such as #/jobs, which a browser shows, is left out. If None, RAY_API_SERVER_ADDRESS, RAY_ADDRESS if
            it is an http address, and `DEFAULT` follow.

    Raises:
        ConfigError: the address is that of another service of Ray, or no address.
    """
    variable = os.environ.get("RAY_ADDRESS", "")
    fallback = variable if variable.startswith(("http://", "https://")) else DEFAULT
    address = (given or os.environ.get("RAY_API_SERVER_ADDRESS") or fallback).strip()
    if address == "auto" or address.startswith("ray://"):
        raise ConfigError(
            f"a job cannot be submitted to {address}: it goes to the dashboard's Jobs API", REMEDY
        )
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(char.isspace() for char in url):
        raise ConfigError(f"{address!r} is not the address of a cluster", REMEDY)
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
