"""Compute SHA-256 digests of bytes, and of JSON objects that hold their own digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

OWN = "sha256"  # the field of an object that holds the digest of all its other fields


def digest(data: bytes) -> str:
    """Return the SHA-256 of the bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def with_digest(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, with their digest added as the field `sha256`.

    Args:
        fields: values that are the same after they were written to JSON and read again.
    """
    return {**fields, OWN: _of(fields)}


def digest_holds(fields: Mapping[str, Any]) -> bool:
    """Return True if the fields are what `with_digest` returned; False if they differ or hold no digest."""
    return fields.get(OWN) == _of({name: value for name, value in fields.items() if name != OWN})


def _of(fields: Mapping[str, Any]) -> str:
    return digest(json.dumps(fields, sort_keys=True).encode())
