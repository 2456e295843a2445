"""Keep the fitted classifier of a run until its model is made, so that an interrupted run need not fit again.

fitted/classifier.safetensors, fitted/fitted.json    in the run's folder; the second is written last
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rfmeta_dist.core.digests import digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.recipes.features import described
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.folders import remove_folder
from rfmeta_dist.storage.store import Store
from rfmeta_dist.texture.detector import ARRAYS, FeatureDetector

FOLDER, ABOUT = "fitted", "fitted.json"


def write(folder: Store, detector: FeatureDetector, seconds: float) -> None:
    """Keep a detector in the folder of its run.

    Args:
        folder: the run's.
        detector: the detector.
        seconds: how long it took to compute its features and to fit it.

    Raises:
        StorageError: the folder cannot be written.
    """
    place = folder.sub(FOLDER)
    about = {"detector": detector.save(place), "facts": {**described(detector), "seconds": round(seconds, 1)}}
    about["files"] = {ARRAYS: digest(place.read(ARRAYS))}
    place.write(ABOUT, json.dumps(with_digest(about), indent=1).encode())


def is_whole(folder: Store) -> bool:
    """Return True if the run has a fitted detector that can be read."""
    try:
        read(folder)
    except RunError:
        return False
    return True


def read(folder: Store) -> tuple[FeatureDetector, Mapping[str, Any]]:
    """Return the detector that `write` kept, and facts about it for its package.

    Raises:
        RunError: there is none, or it is damaged.
        StorageError: the folder cannot be read.
    """
    place = folder.sub(FOLDER)
    try:
        about = json.loads(place.read(ABOUT))
        files = {name: place.read(name) for name in about["files"]}
        whole = digest_holds(about) and all(digest(files[name]) == sha for name, sha in about["files"].items())
        if not whole:
            raise ValueError("a file does not match its SHA-256")  # noqa: TRY301
        return FeatureDetector.of(about["detector"], files), {"classifier": about["facts"]}
    except (MissingError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the fitted classifier in {place.url} is missing or damaged ({error})",
            "give this run's `rfmeta train` command again, which fits it again",
        ) from error


def remove(folder: Store) -> None:
    """Delete what `write` kept, because the model holds it now.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder.sub(FOLDER).delete(ABOUT)
    remove_folder(folder, FOLDER)
