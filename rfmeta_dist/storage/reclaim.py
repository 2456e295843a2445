"""Deleted is not yet gone: have the embedded server take deleted objects out of the files on its disk.

SeaweedFS keeps objects in a few long files. Deletions are noted in batches; bytes go when a file is rewritten.
A server that is killed before it has noted a deletion, within a second of it, keeps those bytes for good.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

from rfmeta_dist.core.errors import StorageError

# Environment variable: endpoint of the embedded server, and addresses of its master and volume services.
SERVICES = "RFMETA_S3_SERVICES"
_BATCH_S = 1.5  # deletions reach the files within 1.2 s
_LIMIT_S = 60.0
_ANY = "0.00001"  # share of a file that is garbage, from which it is rewritten


def reclaim() -> bool:
    """Wait until no file of the embedded server holds what was deleted, if it is the one in use here.

    Returns:
        False if AWS_ENDPOINT_URL is not an embedded server's: what another keeps, its operator knows.

    Raises:
        StorageError: the server did not do it within a minute.
    """
    endpoint, master, volume = (os.environ.get(SERVICES, "").split() + [""] * 3)[:3]
    if not endpoint or os.environ.get("AWS_ENDPOINT_URL") != endpoint:
        return False
    deadline, first = time.monotonic() + _LIMIT_S, True
    try:
        while time.monotonic() < deadline:
            time.sleep(_BATCH_S)
            garbage = sum(file["DeletedByteCount"] for file in _ask(f"{volume}/status")["Volumes"])
            if not garbage and not first:
                return True
            first = False
            _ask(f"{master}/vol/vacuum?garbageThreshold={_ANY}")
    except (OSError, ValueError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        reason = "it has not finished removing them"
    raise StorageError(
        f"the S3 server at {endpoint} still keeps deleted objects on its disk ({reason})",
        "check that the server is up, and give the command again",
    )


def _ask(address: str) -> Any:
    with urllib.request.urlopen(f"http://{address}", timeout=_LIMIT_S) as answer:
        return json.load(answer)
