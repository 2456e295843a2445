"""Explain to a user why a domain was not found under the given prefix."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.storage.store import Store

_MANIFEST = re.compile(r"manifest-\d{6}\.json")
_SHARD = re.compile(r"((\w+/)?(live|attack)/)?\d{6}-[0-9a-f]{12}\.tar")
_SHOWN = 5


def domains_in(names: Sequence[str]) -> list[str]:
    """Return the sorted domains among the names of all objects: the folders that hold a manifest."""
    parts = (name.split("/") for name in names)
    return sorted({part[0] for part in parts if len(part) == 2 and _MANIFEST.fullmatch(part[1])})


def not_found(store: Store, domain: str | None = None) -> DataError:
    """Return the error for a prefix without the domain, or without any domain if none is given.

    Domains a level above or below the prefix are named, with the prefix to give.
    """
    names = store.list()
    known = domains_in(names)
    what = f"there is no domain '{domain}'" if domain else "there are no domains"
    if known:
        return DataError(
            f"{what} under {store.url}: the domains there are {', '.join(known)}", "check the name and prefix"
        )
    elsewhere = _too_deep(store.url, names) or _too_shallow(store.url, names)
    if elsewhere:
        return DataError(f"{what} under {store.url}: {elsewhere[0]}", elsewhere[1])
    if domain:
        return DataError(f"{what} under {store.url}: there are no domains", "check the name and prefix")
    return DataError(
        f"{what} under {store.url}", "check the prefix, or make domains with `rfmeta synth` or `rfmeta ingest`"
    )


def _too_deep(url: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Return what is wrong and what to give instead, if the prefix lies in a domain's folder."""
    above, _, name = url.rpartition("/")
    if any(_MANIFEST.fullmatch(found) for found in names):
        where = f"give {above}, the folder above it" if not above.endswith("/") else "move it into a folder"
        return f"it is itself the folder of a domain, '{name}'", where
    if any(_SHARD.fullmatch(found) for found in names):
        return "it lies within the folder of a domain", "give the folder above the domain's own"
    return None


def _too_shallow(url: str, names: Sequence[str]) -> tuple[str, str] | None:
    """Return what is wrong and what to give instead, if the domains lie deeper below the prefix."""
    parts = (name.split("/") for name in names)
    found = sorted({"/".join(part[:-2]) for part in parts if len(part) > 2 and _MANIFEST.fullmatch(part[-1])})
    if not found:
        return None
    places = [f"{url}/{place}" for place in found[:_SHOWN]]
    more = f" or one of {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "domains lie further below", f"give {' or '.join(places)}{more}"
