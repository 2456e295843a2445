"""Make the embedded S3 server remove the bytes of deleted objects from its disk.

SeaweedFS stores objects in a few large files. It records deletions in batches, and removes the bytes only when
it rewrites a file. If it is killed within a second after a deletion, before that is recorded, the bytes stay.
"""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any

from rfmeta_dist.core.errors import StorageError

# This environment variable holds the embedded server's endpoint and the addresses of its master and volume
# services.
SERVICES = "RFMETA_S3_SERVICES"
_BATCH_S = 1.5  # seconds to wait; deletions are recorded within 1.2 s
_LIMIT_S = 60.0
_ANY = "0.00001"  # a file is rewritten if a larger share of it is deleted


def reclaim() -> bool:
    """Wait until no file of the embedded server holds deleted bytes, if AWS_ENDPOINT_URL is such a server.

    Returns:
        True if that is so; False if AWS_ENDPOINT_URL is another server, which may keep deleted bytes.

    Raises:
        StorageError: the server did not remove the bytes within a minute.
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
