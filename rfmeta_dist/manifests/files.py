"""Choose the files of a folder that hold whole manifests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.manifests.text import Document, documents

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_CHOOSE = "give a file with manifests, a folder of such files, or - for standard input"


def read(path: Path) -> str:
    """Return the text of a file.

    Raises:
        ConfigError: the file is not text in UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8", "save the file as UTF-8") from error


def manifest_files(path: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Return the files with manifests at a path.

    Args:
        path: a file, or a folder whose files *.yaml and *.yml are looked at, those of its folders included.

    Returns:
        The files, and those that are left out, by reason. Patches are left out, because they are parts of
        manifests, which only `kubectl kustomize` puts together.

    Raises:
        ConfigError: there is no such file, or no manifest in the folder.
    """
    if path.is_file():
        if path.name in KUSTOMIZATIONS:
            raise ConfigError(
                f"{path} names manifests and is none itself",
                f"check what it makes: kubectl kustomize {path.parent} | rfmeta manifests -",
            )
        return [path], {}
    if not path.is_dir():
        what = "is neither a file nor a folder" if path.exists() else "does not exist"
        raise ConfigError(f"{path} {what}", _CHOOSE)
    found = sorted(file for file in path.rglob("*.y*ml") if file.is_file() and file.suffix in (".yaml", ".yml"))
    kustomizations = [file for file in found if file.name in KUSTOMIZATIONS]
    named = {part for file in kustomizations for part in _parts(file)}
    parts = [file for file in found if file.resolve() in named]
    rest = [file for file in found if file not in {*kustomizations, *parts}]
    others = [file for file in rest if not _claims_to_be_one(file)]
    kept = [file for file in rest if file not in others]
    if not kept:
        raise ConfigError(f"the folder {path} has no file with manifests", _CHOOSE)
    reasons = {
        "kustomization, checked by kubectl kustomize … | rfmeta manifests -": kustomizations,
        "part that a kustomization uses": parts,
        "no manifest, for it has neither apiVersion nor kind": others,
    }
    return kept, {reason: files for reason, files in reasons.items() if files}


def _claims_to_be_one(file: Path) -> bool:
    """Return False if a file has documents, and none of them has apiVersion or kind."""
    found = [document.value for document in documents(read(file)) if isinstance(document, Document)]
    return not found or any(isinstance(one, dict) and {"apiVersion", "kind"} & set(one) for one in found)


def _parts(kustomization: Path) -> Iterator[Path]:
    """Yield the files that a kustomization uses as something else than manifests, such as patches."""
    for document in documents(read(kustomization)):
        if isinstance(document, Document) and isinstance(document.value, dict):
            fields = {name: value for name, value in document.value.items() if name != "resources"}
            for word in _words(fields):
                yield (kustomization.parent / word.rpartition("=")[2]).resolve()


def _words(value: Any) -> Iterator[str]:
    """Yield all texts of one line in a tree."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _words(item)
    elif isinstance(value, str) and "\n" not in value and "\0" not in value and len(value) < 200:
        yield value
