"""Store what the trainings of studies came to: one small object for each figure, found again by its content.

figures/<hash>.json     how one training did on one domain after so many steps, or why it failed

The hash covers the training (all that its weights depend on), the step, the domain on which it was judged, the
manifest of that domain, and how it was judged.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import DataError, DivergedError
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FOLDER = "figures"
FAILURES = "failures"  # in a study's own folder
SOURCES = "(sources)"  # in place of a domain: the validation splits of the training's own sources
DIVERGED, MEMORY, RESTARTS = "diverged", "memory", "restarts"


@dataclass(frozen=True)
class Result:
    """How a training did on a domain that it had not seen.

    Attributes:
        hter: HTER by video in [0, 1], at the threshold from the training's sources; None if it failed.
        auc: AUC by video in [0, 1]; None if it failed.
        failed: why the training or its judging failed; empty if it did not.
        kind: in what way it failed: `DIVERGED`; `MEMORY`, when it took more memory than there is; or
            `RESTARTS`, when its workers failed again and again. Empty if it did not fail.
        steps: number of steps that were trained for it, since an earlier figure of the training or its start.
        seconds: how long these steps and the judging took; for forecasts, nothing is decided by it.
    """

    hter: float | None
    auc: float | None
    failed: str = ""
    kind: str = ""
    steps: int = field(default=0, compare=False)
    seconds: float = field(default=0.0, compare=False)


def diverged(error: DivergedError) -> Result:
    """Return the result of a training whose losses or scores are not numbers."""
    return Result(None, None, failed=error.problem, kind=DIVERGED)


def name(config: Config, judged: str, manifest: str, step: int) -> str:
    """Return the name of a figure's object.

    Args:
        config: configuration of the training; its run is named by content.
        judged: the domain on which it is judged, or `SOURCES`.
        manifest: fingerprint of that domain's manifest; empty for `SOURCES`.
        step: number of steps after which it is judged.
    """
    # These fields say which runs are made and which models are judged besides. A default that former versions
    # lacked does not count either.
    without = {"protocol", "candidates"} | ({"checkpoint"} if config.evaluation.checkpoint == "last" else set())
    how = config.evaluation.model_dump_json(exclude=without)
    return f"{FOLDER}/{digest(json.dumps([config.run.name, judged, manifest, step, how]).encode())}.json"


def failure(name: str) -> str:
    """Return the name, in a study's folder, of a figure's failure that depends on the machine."""
    return f"{FAILURES}/{name}"


def read(folder: Store, figure: str) -> Result | None:
    """Return a figure, or None if it does not exist yet.

    Raises:
        DataError: its object is damaged.
        StorageError: the folder cannot be read.
    """
    try:
        data = folder.read(figure)
    except MissingError:
        return None
    try:
        return Result(**json.loads(data))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{folder.url}/{figure} is damaged ({error})",
            "delete this file and give the same command again, which judges that training once more",
        ) from error


def write(folder: Store, figure: str, result: Result) -> None:
    """Store a figure."""
    folder.write(figure, json.dumps(asdict(result), ensure_ascii=False).encode())
