"""Write and read model packages: a detector's files, its view, thresholds with their source, and all hashes.

package.json    everything but the detector's own files, and the SHA-256 of all files and of itself; it is
                written last, so a folder without it is not a package

Format 2 has `kind`, which selects the loader (recipes/load.py); `detector`, what that loader needs beyond the
files; `view`, how crops and patches are cut and pooled; `thresholds` by unit; `parent`, the SHA-256 of the
package.json that this model was trained on from, or null; and facts of the training. Format 1, which knew one
kind of detector, is read as format 2.
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
_WEIGHTS = "weights.safetensors"  # of format 1, which had no list of files before it had hashes


@dataclass(frozen=True)
class Contents:
    """The contents of a package as it is stored, after every byte was checked.

    Attributes:
        url: where it lies.
        kind: of its detector.
        detector: what the detector's `save` returned.
        files: by name, without package.json.
        view: how its input is made.
        thresholds: by unit, `frame` and `video`; accept as live when score ≥ value.
        about: the whole of package.json, in format 2.
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
    """A model ready to judge images.

    Attributes:
        detector: scores them.
        view: how its input is made.
        thresholds: by unit; accept as live when score ≥ value.
        about: the whole of package.json, in format 2.
    """

    detector: Detector
    view: View
    thresholds: Mapping[str, Threshold]
    about: Mapping[str, Any]


def save(
    folder: Store, detector: Detector, view: View, thresholds: Sequence[Threshold], facts: Mapping[str, Any]
) -> None:
    """Write a package. Files that are in its folder already, such as a certificate, become part of it.

    Args:
        folder: where to.
        detector: the model.
        view: how its input is made.
        thresholds: one a unit.
        facts: of its training: the configuration, the step, fingerprints of the data, ….
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
    """Read a package of format 1 or 2 and check every byte of it.

    Raises:
        RunError: there is none, it is damaged, or of another format.
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
    """Return the error for a package that differs from what was written."""
    return RunError(
        f"the model at {url} is damaged: {why}",
        "restore it from a backup, or delete the run's model/ folder and give the same `rfmeta train` again: "
        "it makes the model from the last checkpoint",
    )


def _about(folder: Store) -> dict[str, Any]:
    try:
        about = json.loads(folder.read(ABOUT))
    except MissingError:
        raise RunError(f"there is no model at {folder.url}", "let `rfmeta train` finish first") from None
    except ValueError as error:
        raise damaged(folder.url, error) from error
    if not isinstance(about, dict) or "format" not in about:
        raise damaged(folder.url, f"{ABOUT} does not describe a package")
    if about["format"] not in (1, FORMAT):
        raise RunError(
            f"the model at {folder.url} has format {about['format']}, not 1 or {FORMAT}",
            "use the version of rfmeta_dist that made it",
        )
    return about


def _checked(folder: Store, about: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the package's files by name, after their hashes were checked."""
    if about["format"] == 1 and OWN not in about and "files" not in about:  # written before packages had hashes
        return {_WEIGHTS: folder.read(_WEIGHTS)}
    if not digest_holds(about):
        raise ValueError(f"{ABOUT} is not what was written")
    files = {name: folder.read(name) for name in about["files"]}
    for name, data in files.items():
        if digest(data) != about["files"][name]:
            raise ValueError(f"{name} is not what was written")
    return files


def _of_format_1(about: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the package.json of format 1 to format 2."""
    own = {name: about[name] for name in ("networks", "preprocessing", "score") if name in about}
    rest = {name: value for name, value in about.items() if name not in (*own, "image_size", OWN)}
    upgraded = {"format": FORMAT, "kind": "gradient", "detector": own, "parent": None}
    return {**rest, **upgraded, "view": {"image_size": int(about["image_size"])}}
