"""Tell whether a process works on a folder now, from several looks at the folder's lease."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.lease import NAME, STALE_S, Holder
from rfmeta_dist.storage.store import Store


@dataclass
class _Seen:
    token: str
    renewals: int
    changed: float


class Holders:
    """Remembers the leases that it has seen.

    Whether a holder on another machine is alive shows only in that its lease changes. At the first look at such
    a lease, the holder is taken to be alive.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def working(self, folder: Store) -> bool:
        """Return True if a process holds the folder's lease.

        Raises:
            StorageError: the folder cannot be read.
        """
        try:
            holder = Holder.parse(folder.read(NAME))
        except MissingError:
            return False
        if holder is None or holder.released:
            return False
        if holder.alive is not None:
            return holder.alive
        now, seen = time.monotonic(), self._seen.get(folder.url)
        if seen is None or (seen.token, seen.renewals) != (holder.token, holder.renewals):
            seen = self._seen[folder.url] = _Seen(holder.token, holder.renewals, now)
        return now - seen.changed < STALE_S
