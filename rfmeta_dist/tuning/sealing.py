"""Keep in a study's ledger which choice was made before the labels of its target were looked at.

ledger.jsonl     lines of two kinds, in the order of events:
                 {time, purpose: "choice", domain, file, sha256}: the choice file of a target as it is now
                 {time, purpose: "regret", domain, split, samples, manifest, sealed: true}: from here on the
                 labels of this target are looked at (runs.folder.record)

A target is opened by its first line of the second kind. Of its choices only the one whose hash stands before
that line was made without the target's labels.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rfmeta_dist.core.errors import RunError
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FILE = "ledger.jsonl"
CHOICE, REGRET = "choice", "regret"


def openings(folder: Store) -> dict[str, dict[str, str]]:
    """Return for each target whose labels were looked at when that was, and which choice was made before.

    Args:
        folder: the study's.

    Returns:
        By target: `time` in ISO 8601, and `choice`, the SHA-256 of the choice file.

    Raises:
        RunError: the ledger is damaged.
        StorageError: the folder cannot be read.
    """
    choices: dict[str, str] = {}
    found: dict[str, dict[str, str]] = {}
    for row in _rows(folder):
        if row["purpose"] == CHOICE:
            choices[row["domain"]] = row["sha256"]
        elif row["purpose"] == REGRET and row["domain"] not in found:
            found[row["domain"]] = {"time": row["time"], "choice": choices.get(row["domain"], "")}
    return found


def fix(folder: Store, target: str, file: str, sha256: str) -> bool:
    """Write the hash of a target's choice file into the ledger. Return False if it stands there already."""
    known = [row["sha256"] for row in _rows(folder) if row["purpose"] == CHOICE and row["domain"] == target]
    if known and known[-1] == sha256:
        return False
    runs.append(folder, {"purpose": CHOICE, "domain": target, "file": file, "sha256": sha256})
    return True


def _rows(folder: Store) -> Iterator[Mapping[str, Any]]:
    try:
        for line in folder.read(FILE).splitlines():
            row = json.loads(line)
            for name in ("time", "purpose", "domain", *(["sha256"] if row.get("purpose") == CHOICE else [])):
                row[name]
            yield row
    except MissingError:
        return
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{folder.url}/{FILE} is damaged, so it is not known which targets were looked at",
            "restore the file from a copy, or start a new study with --set name=…",
        ) from error
