"""Read and write deployment packages: a model that scores face crops without torch, and all that its use needs.

deploy.json    everything but the contents of the other files, the SHA-256 of each of them and of itself. It is
               written last, so a folder without it is not a package.
model.onnx     the model: input `image`, uint8 B×H×W×3 RGB; output `score`, float32 B in [0, 1], the probability
               that the face is live.
card.md, card.json    the model card, for people and for programs; no score depends on it.

Fields of deploy.json, format 1: `kind` selects the loader of the model file; `name` and `precision` are those
of the package; `parent` is the SHA-256 of the package.json of the trained model; `scorer` is the SHA-256 of all
that a score depends on; `input` says what the model takes; `thresholds` and `operating_points` are as in
package.json, but hold for the scores of this precision only. Facts about the data, the figures and the export
follow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rfmeta_dist import __version__
from rfmeta_dist.core.digests import OWN, digest, digest_holds, with_digest
from rfmeta_dist.core.errors import PackageError
from rfmeta_dist.core.types import UNITS, Unit
from rfmeta_dist.detectors.api import Points, Threshold, read_points
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

FORMAT = 1
ABOUT = "deploy.json"
MODEL = "model.onnx"
CARD = "card.json"
CARD_PAGE = "card.md"
ONNX = "onnx"
KINDS = (ONNX,)
PRECISIONS = ("fp32", "int8")
_CARDS = (CARD, CARD_PAGE)
_TRAINED = "package.json"  # of a trained model; in the folder of a run it lies in model/
_RUN = ("model/package.json", "config.yaml", "ledger.jsonl")


@dataclass(frozen=True)
class Deployment:
    """The contents of a deployment package, after all its hashes were checked.

    Attributes:
        url: the package's folder.
        kind: which loader the model needs; `onnx`.
        name: name of the package.
        precision: `fp32` or `int8`: what the model computes in. Thresholds hold for this precision only.
        parent: SHA-256 of the package.json of the trained model that was exported.
        scorer: SHA-256 of all that a score depends on: the kind, the model file and the input contract.
        input: the input contract: `size`, `color`, `dtype`, the `crop` rule and the face `detector`'s files.
        thresholds: by unit, `frame` and `video`; a face is accepted as live if its score ≥ value.
        operating_points: thresholds for several needs, by unit and name; empty if the trained model has none.
        about: the whole content of deploy.json.
        files: contents of the other files by name.
        sha256: SHA-256 of deploy.json as it is stored.
    """

    url: str
    kind: str
    name: str
    precision: str
    parent: str
    scorer: str
    input: Mapping[str, Any]
    thresholds: Mapping[Unit, Threshold]
    operating_points: Points
    about: Mapping[str, Any]
    files: Mapping[str, bytes]
    sha256: str


def read(folder: Store) -> Deployment:
    """Read a deployment package and check the hashes of all its files.

    Raises:
        PackageError: there is no package, a file was changed or is missing (the error names it), or the package
            is of a format or kind that this version does not know.
    """
    data, about = _about(folder)
    files = {name: _checked(folder, name, wanted) for name, wanted in about["files"].items()}
    try:
        found = Deployment(
            url=folder.url,
            kind=str(about["kind"]),
            name=str(about["name"]),
            precision=str(about["precision"]),
            parent=str(about["parent"]),
            scorer=str(about["scorer"]),
            input=dict(about["input"]),
            thresholds={unit: Threshold(**about["thresholds"][unit]) for unit in UNITS},
            operating_points=read_points(about["operating_points"]),
            about=about,
            files=files,
            sha256=digest(data),
        )
        points = [point for named in found.operating_points.values() for point in named.values()]
        values = [rule.value for rule in found.thresholds.values()] + [point.value for point in points]
        finite = all(map(math.isfinite, values))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _changed(folder, ABOUT, f"a field is missing or wrong ({error!r})") from error
    if found.kind not in KINDS or found.precision not in PRECISIONS:
        raise PackageError(
            f"the package at {folder.url} is of kind {found.kind} and precision {found.precision}, but this "
            f"version of rfmeta_dist reads kind {', '.join(KINDS)} and precision {' or '.join(PRECISIONS)}",
            "use the version of rfmeta_dist that made it",
        )
    if not finite or MODEL not in files or found.scorer != _scorer(about):
        raise _changed(folder, ABOUT, "its fields do not belong together")
    return found


def write(folder: Store, files: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
    """Write a deployment package into an empty folder. If writing fails, what was written is deleted.

    Args:
        folder: the folder to write to.
        files: contents of the files by name; `model.onnx` is one of them.
        about: all fields of deploy.json, except `format`, `scorer`, `code`, `files` and `sha256`, which are
            added.

    Raises:
        PackageError: the folder is not empty.
        StorageError: a file cannot be written.
    """
    require_empty(folder)
    hashes = {name: digest(data) for name, data in files.items()}
    fields = {"format": FORMAT, **about, "code": __version__, "files": hashes}
    whole = with_digest({**fields, "scorer": _scorer(fields)})
    text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False).encode()
    try:
        for name, data in {**files, ABOUT: text}.items():
            folder.write(name, data)
    except BaseException:
        for name in files:
            folder.delete(name)
        raise


def require_empty(folder: Store) -> None:
    """Raise a PackageError if the folder holds files already, so that nothing of the user's is overwritten."""
    if folder.list():
        raise PackageError(
            f"the folder {folder.url} is not empty, so the deployment package is not written there",
            "give a folder that does not exist yet with --out",
        )


def _about(folder: Store) -> tuple[bytes, dict[str, Any]]:
    """Return deploy.json as it is stored and as an object, after checking its format and its own hash."""
    try:
        data = folder.read(ABOUT)
    except MissingError:
        raise _absent(folder) from None
    try:
        about = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _changed(folder, ABOUT, f"it is not JSON ({error})") from error
    if not isinstance(about, dict) or "format" not in about:
        raise _changed(folder, ABOUT, "it has no field 'format'")
    if about["format"] != FORMAT:
        raise PackageError(
            f"the package at {folder.url} has format {about['format']}, but this version reads format {FORMAT}",
            "use the version of rfmeta_dist that made it, or export the trained model again: rfmeta export",
        )
    if not digest_holds(about):
        raise _changed(folder, ABOUT, "it does not match its own SHA-256")
    if not isinstance(about.get("files"), dict):
        raise _changed(folder, ABOUT, "it does not list the files")
    return data, about


def _checked(folder: Store, name: str, wanted: object) -> bytes:
    """Return the content of a file after its hash was checked."""
    try:
        data = folder.read(name)
    except MissingError:
        raise _changed(folder, name, "it is missing") from None
    if digest(data) != wanted:
        raise _changed(folder, name, f"it does not match its SHA-256 in {ABOUT}")
    return data


def _scorer(about: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a score depends on: neither thresholds nor the card."""
    hashes = {name: value for name, value in about["files"].items() if name not in _CARDS}
    return str(with_digest({"kind": about["kind"], "input": about["input"], "files": hashes})[OWN])


def _absent(folder: Store) -> PackageError:
    """Return the error for a folder without deploy.json: a run, a trained model, or something else."""
    if folder.exists(_TRAINED) or any(folder.exists(name) for name in _RUN):
        what = "a trained model" if folder.exists(_TRAINED) else "a training run"
        return PackageError(
            f"{folder.url} is {what}, not a deployment package (there is no {ABOUT})",
            f"export it first: rfmeta export {folder.url} --out FOLDER, then give that folder",
        )
    return PackageError(
        f"there is no deployment package at {folder.url} (no {ABOUT})",
        "give the folder that rfmeta export wrote",
    )


def _changed(folder: Store, name: str, why: str) -> PackageError:
    return PackageError(
        f"{name} of the deployment package at {folder.url} was changed after the export, or is damaged: {why}",
        "copy the package again from where it was exported, or export the trained model again: rfmeta export",
    )
