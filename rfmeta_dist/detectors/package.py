"""Write and read model packages: a detector's files, its view, thresholds with their source, and all hashes.

package.json    everything except the detector's own files, and the SHA-256 of all files and of itself. It is
                written last, so a folder without it is not a package.

Format 2 has these fields: `kind` selects the loader (recipes/load.py); `detector` is what the loader needs in
addition to the files; `view` says how crops and patches are cut and how scores are pooled; `thresholds` are by
unit; `operating_points` are thresholds for other needs, by unit and name, and absent in packages of earlier
versions; `parent` is the SHA-256 of the package.json of the model that this one was trained further from, or
that it is with other thresholds, or null; `start` is the model that it was trained further from (start.py), and
absent if there is none. Facts about the training follow. Format 1, which had only one kind of
detector, is converted when it is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rfmeta_dist import __version__
from rfmeta_dist.core.digests import OWN, digest, digest_holds, with_digest
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.detectors.api import Detector, Points, Threshold, View, read_points, stored_points
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FORMAT = 2
ABOUT = "package.json"
_RECORDS = ("certificate.json", "starts.jsonl")  # of the training; no score depends on them
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
        sha256: SHA-256 of package.json as it is stored. A child names its parent by it.
        scorer: SHA-256 of all that a score depends on: the detector, its files and its view. A package with
            other thresholds has the same.
        operating_points: thresholds for several needs, by unit and name; empty in a package of an earlier
            version.
    """

    url: str
    kind: str
    detector: Mapping[str, Any]
    files: Mapping[str, bytes]
    view: View
    thresholds: Mapping[str, Threshold]
    about: Mapping[str, Any]
    sha256: str
    scorer: str
    operating_points: Points


@dataclass(frozen=True)
class Package:
    """A loaded model that can score images.

    Attributes:
        detector: the object that scores them.
        view: how the detector's input is made.
        thresholds: by unit; a face is accepted as live if its score ≥ value.
        about: the whole content of package.json, in format 2.
        scorer: SHA-256 of all that a score depends on: the detector, its files and its view.
        operating_points: thresholds for several needs, by unit and name; empty in a package of an earlier
            version.
    """

    detector: Detector
    view: View
    thresholds: Mapping[str, Threshold]
    about: Mapping[str, Any]
    scorer: str = ""
    operating_points: Points = field(default_factory=dict)


def save(  # what a package consists of
    folder: Store,
    detector: Detector,
    view: View,
    thresholds: Sequence[Threshold],
    facts: Mapping[str, Any],
    operating_points: Points | None = None,
) -> None:
    """Write a model package. Files that are in its folder already, such as a certificate, become part of it.

    Args:
        folder: the folder to write to.
        detector: the detector to save.
        view: how the detector's input is made.
        thresholds: one threshold for each unit.
        facts: facts about the training: the configuration, the step, fingerprints of the data, …; `parent` and
            `start` of a model that was trained further from another (start.py).
        operating_points: thresholds for several needs, by unit and name.
    """
    own = detector.save(folder)
    names = [name for name in folder.list() if name != ABOUT]
    about = {
        "format": FORMAT,
        "kind": detector.kind,
        "detector": own,
        "view": view.described(),
        **_decisions(thresholds, operating_points or {}),
        "parent": None,
        "code": __version__,
        **facts,
        "files": {name: digest(folder.read(name)) for name in names},
    }
    _write(folder, about)


def save_child(folder: Store, parent: Contents, thresholds: Sequence[Threshold], points: Points) -> None:
    """Write a package that scores as its parent does, and decides at other thresholds.

    Args:
        folder: the folder to write to.
        parent: the package to take everything else from.
        thresholds: one threshold for each unit.
        points: thresholds for several needs, by unit and name.

    Raises:
        RunError: the folder is not empty.
    """
    if folder.list():
        raise RunError(
            f"the folder {folder.url} is not empty, so the new model is not written there",
            "give a folder that does not exist yet with --out",
        )
    for name, data in parent.files.items():
        folder.write(name, data)
    about = {
        **{name: value for name, value in parent.about.items() if name != OWN},
        **_decisions(thresholds, points),
        "parent": parent.sha256,
        "code": __version__,
        "files": {name: digest(data) for name, data in parent.files.items()},
    }
    _write(folder, about)


def _decisions(thresholds: Sequence[Threshold], points: Points) -> dict[str, Any]:
    """Return the fields that say how decisions are made. Without points there is no field for them."""
    fields: dict[str, Any] = {"thresholds": {t.unit: asdict(t) for t in thresholds}}
    if points:
        fields["operating_points"] = stored_points(points)
    return fields


def _write(folder: Store, about: Mapping[str, Any]) -> None:
    folder.write(ABOUT, json.dumps(with_digest(about), indent=1, ensure_ascii=False).encode())


def read(folder: Store) -> Contents:
    """Read a model package of format 1 or 2 and check all its hashes.

    Raises:
        RunError: there is no package, or it is damaged or of another format.
    """
    data, about = _about(folder)
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
            sha256=digest(data),
            scorer=_scorer(about, files),
            operating_points=read_points(about.get("operating_points", {})),
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


def _scorer(about: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    scoring = {name: about[name] for name in ("kind", "detector", "view")}
    hashes = {name: digest(data) for name, data in files.items() if name not in _RECORDS}
    return str(with_digest({**scoring, "files": hashes})[OWN])


def _about(folder: Store) -> tuple[bytes, dict[str, Any]]:
    try:
        data = folder.read(ABOUT)
        about = json.loads(data)
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
    return data, about


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
