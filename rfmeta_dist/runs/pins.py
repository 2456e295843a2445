"""Pin the data of a run: record at its start which manifest of each domain it reads until its end.

manifests.json    {domain: SHA-256 of its manifest}, for the sources and every target that the run has had
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.store import Store

FILE = "manifests.json"


def read(folder: Store) -> dict[str, str]:
    """Return the fingerprint of the manifest that a run reads, for each domain that is pinned.

    A run of a version that did not write manifests.json is pinned to the manifests that its ledger names first.
    A domain that is in neither is absent.

    Raises:
        RunError: manifests.json or the ledger is damaged.
        StorageError: the folder cannot be read.
    """
    try:
        return _checked(folder, FILE, folder.read(FILE))
    except MissingError:
        return _read_first(folder)


def add(folder: Store, fingerprints: Mapping[str, str], replace: Collection[str] = ()) -> dict[str, str]:
    """Pin the domains that are not pinned yet, and return all pins of the run.

    Args:
        folder: the run's.
        fingerprints: fingerprints of the manifests, by domain.
        replace: domains whose earlier pin is replaced.

    Raises:
        RunError: manifests.json is damaged.
        StorageError: the folder cannot be read or written.
    """
    try:
        replaced = {name: fingerprints[name] for name in replace}
        folder.create(FILE, _as_json({**fingerprints, **_read_first(folder), **replaced}))
    except AlreadyExistsError:
        pinned = read(folder)
        wanted = {**fingerprints, **pinned, **{name: fingerprints[name] for name in replace}}
        if wanted != pinned:
            folder.write(FILE, _as_json(wanted))
    return read(folder)


def _as_json(fingerprints: Mapping[str, str]) -> bytes:
    return (json.dumps(dict(fingerprints), indent=1) + "\n").encode()


def _checked(folder: Store, name: str, data: bytes) -> dict[str, str]:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise _damaged(folder, name) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _damaged(folder, name)
    return found


def _read_first(folder: Store) -> dict[str, str]:
    """Return for each domain in the ledger the fingerprint of the manifest that was read first."""
    found: dict[str, str] = {}
    try:
        for line in folder.read("ledger.jsonl").splitlines():
            row = json.loads(line)
            if "file" not in row:  # the hash of a file in a study's ledger is no read of data
                found.setdefault(row["domain"], row["manifest"])
    except MissingError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, "ledger.jsonl") from error
    return found


def _damaged(folder: Store, name: str) -> RunError:
    return RunError(
        f"{folder.url}/{name} is damaged, so it is not known which data the run reads",
        "restore the file from a copy, or start a new run with --set run.name=…",
    )
