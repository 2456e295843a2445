"""Build the error for a domain that is not found under a prefix, with the prefix that would be right."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.storage.store import Store

_MANIFEST = re.compile(r"manifest-\d{6}\.json")
_SHARD = re.compile(r"((\w+/)?(live|attack)/)?\d{6}-[0-9a-f]{12}\.tar")
_SHOWN = 5


def domains_in(names: Sequence[str]) -> list[str]:
    """Return the sorted names of the domains: the folders that contain a manifest.

    Args:
        names: the names of all objects under the prefix.
    """
    parts = (name.split("/") for name in names)
    return sorted({part[0] for part in parts if len(part) == 2 and _MANIFEST.fullmatch(part[1])})


def not_found(store: Store, domain: str | None = None) -> DataError:
    """Return the error for a prefix that lacks the domain, or that has no domains if no name is given.

    If there are domains in folders above or below the prefix, the error says which prefix to give.
    """
    names = store.list()
    known = domains_in(names)
    what = f"there is no domain '{domain}'" if domain else "there are no domains"
    if known:
        return DataError(
            f"{what} under {store.url}: the domains there are {', '.join(known)}",
            "check the domain's name and the prefix",
        )
    elsewhere = _too_deep(store.url, names) or _too_shallow(store.url, names)
    if elsewhere:
        return DataError(f"{what} under {store.url}: {elsewhere[0]}", elsewhere[1])
    if domain:
        return DataError(
            f"{what} under {store.url}: there are no domains", "check the domain's name and the prefix"
        )
    return DataError(
        f"{what} under {store.url}",
        "check the prefix, or make a domain there with `rfmeta synth` or `rfmeta ingest`",
    )


def _too_deep(url: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Return the problem and the remedy if the prefix is a domain's folder or lies in one; else None."""
    above, _, name = url.rpartition("/")
    if any(_MANIFEST.fullmatch(found) for found in names):
        where = f"give {above}, the folder above it" if not above.endswith("/") else "move it into a folder"
        return f"this is itself the folder of a domain, '{name}'", where
    if any(_SHARD.fullmatch(found) for found in names):
        return "this lies within the folder of a domain", "give the folder that contains the domain's folder"
    return None


def _too_shallow(url: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Return the problem and the remedy if there are domains in folders further below the prefix; else None."""
    parts = (name.split("/") for name in names)
    found = sorted({"/".join(part[:-2]) for part in parts if len(part) > 2 and _MANIFEST.fullmatch(part[-1])})
    if not found:
        return None
    places = [f"{url}/{place}" for place in found[:_SHOWN]]
    more = f" or one of {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "the domains lie in folders further below", f"give {' or '.join(places)}{more}"
