"""Write and read model packages: a detector's files, its view, thresholds with their source, and all hashes.

package.json    everything except the detector's own files, and the SHA-256 of all files and of itself. It is
                written last, so a folder without it is not a package.

Format 2 has these fields: `kind` selects the loader (recipes/load.py); `detector` is what the loader needs in
addition to the files; `view` says how crops and patches are cut and how scores are pooled; `thresholds` are by
unit; `parent` is the SHA-256 of the package.json of the model that this one was trained further from, or null.
Facts about the training follow. Format 1, which had only one kind of detector, is converted when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rfmeta_dist import __version__
from rfmeta_dist.core.digests import OWN, digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.detectors.api import Detector, Threshold, View
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FORMAT = 2
ABOUT = "package.json"
_WEIGHTS = "weights.safetensors"  # the one file of those packages of format 1 that have no hashes


@dataclass(frozen=True)
class Contents:
    """The contents of a stored model package, after all hashes were checked.

    Attributes:
        url: the package's folder.
        kind: the kind of its detector.
        detector: what the detector's `save` returned.
        files: contents of the files by name, without package.json.
        view: how the detector's input is made.
        thresholds: by unit, `frame` and `video`; a face is accepted as live if its score ≥ value.
        about: the whole content of package.json, in format 2.
    """

    url: str
    kind: str
    detector: Mapping[str, Any]
    files: Mapping[str, bytes]
    view: View
    thresholds: Mapping[str, Threshold]
    about: Mapping[str, Any]


@dataclass(frozen=True)
class Package:
    """A loaded model that can score images.

    Attributes:
        detector: the object that scores them.
        view: how the detector's input is made.
        thresholds: by unit; a face is accepted as live if its score ≥ value.
        about: the whole content of package.json, in format 2.
    """

    detector: Detector
    view: View
    thresholds: Mapping[str, Threshold]
    about: Mapping[str, Any]


def save(
    folder: Store, detector: Detector, view: View, thresholds: Sequence[Threshold], facts: Mapping[str, Any]
) -> None:
    """Write a model package. Files that are in its folder already, such as a certificate, become part of it.

    Args:
        folder: the folder to write to.
        detector: the detector to save.
        view: how the detector's input is made.
        thresholds: one threshold for each unit.
        facts: facts about the training: the configuration, the step, fingerprints of the data, ….
    """
    own = detector.save(folder)
    names = [name for name in folder.list() if name != ABOUT]
    about = {
        "format": FORMAT,
        "kind": detector.kind,
        "detector": own,
        "view": view.described(),
        "thresholds": {t.unit: asdict(t) for t in thresholds},
        "parent": None,
        "code": __version__,
        **facts,
        "files": {name: digest(folder.read(name)) for name in names},
    }
    folder.write(ABOUT, json.dumps(with_digest(about), indent=1, ensure_ascii=False).encode())


def read(folder: Store) -> Contents:
    """Read a model package of format 1 or 2 and check all its hashes.

    Raises:
        RunError: there is no package, or it is damaged or of another format.
    """
    about = _about(folder)
    try:
        files = _checked(folder, about)
        about = about if about["format"] == FORMAT else _of_format_1(about)
        return Contents(
            url=folder.url,
            kind=str(about["kind"]),
            detector=about["detector"],
            files=files,
            view=View.of(about["view"]),
            thresholds={unit: Threshold(**fields) for unit, fields in about["thresholds"].items()},
            about=about,
        )
    except MissingError as error:
        raise damaged(folder.url, error.problem) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(folder.url, error) from error


def damaged(url: str, why: object) -> RunError:
    """Return the error for a damaged model package.

    Args:
        url: the package's folder.
        why: what is wrong.
    """
    return RunError(
        f"the model at {url} is damaged: {why}",
        "restore it from a backup, or delete the run's model/ folder and give this run's "
        "`rfmeta train` command again: it makes the model from the last checkpoint",
    )


def _about(folder: Store) -> dict[str, Any]:
    try:
        about = json.loads(folder.read(ABOUT))
    except MissingError:
        raise RunError(
            f"there is no model at {folder.url}, because the run's training has not finished",
            "give this run's `rfmeta train` command again, and let it finish first",
        ) from None
    except ValueError as error:
        raise damaged(folder.url, error) from error
    if not isinstance(about, dict) or "format" not in about:
        raise damaged(folder.url, f"{ABOUT} has no field 'format'")
    if about["format"] not in (1, FORMAT):
        raise RunError(
            f"the model at {folder.url} has format {about['format']}, but this version reads 1 and {FORMAT}",
            "use the version of rfmeta_dist that made it",
        )
    return about


def _checked(folder: Store, about: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the package's files by name, after their hashes were checked."""
    if about["format"] == 1 and OWN not in about and "files" not in about:  # written before packages had hashes
        return {_WEIGHTS: folder.read(_WEIGHTS)}
    if not digest_holds(about):
        raise ValueError(f"{ABOUT} does not match its own SHA-256")
    files = {name: folder.read(name) for name in about["files"]}
    for name, data in files.items():
        if digest(data) != about["files"][name]:
            raise ValueError(f"{name} does not match its SHA-256 in {ABOUT}")
    return files


def _of_format_1(about: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the package.json of format 1 to format 2."""
    own = {name: about[name] for name in ("networks", "preprocessing", "score") if name in about}
    rest = {name: value for name, value in about.items() if name not in (*own, "image_size", OWN)}
    upgraded = {"format": FORMAT, "kind": "gradient", "detector": own, "parent": None}
    return {**rest, **upgraded, "view": {"image_size": int(about["image_size"])}}
