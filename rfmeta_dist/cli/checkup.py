"""Check for `rfmeta doctor` the machine, packages, face models and a store, and what each command lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli import machine
from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import InstallationError, RfmetaError, StorageError
from rfmeta_dist.core.extras import NEEDS, extras_of, missing
from rfmeta_dist.core.installed import BASE, Package, imported, packages, present

if TYPE_CHECKING:
    from rfmeta_dist.storage.store import Store


def examine(store: str | None) -> tuple[dict[str, Any], list[RfmetaError]]:
    """Look at this machine and its installation; nothing is installed, and neither Ray nor a server is started.

    Args:
        store: address of a store to try; None to try none.

    Returns:
        What was found, as values for JSON, and an error for each thing that is there and does not work. That a
        package of an extra or the face models are not installed is no error.
    """
    errors: list[RfmetaError] = []
    models = _face_models(errors)
    found = {
        "machine": machine.describe(),
        "gpu": _attempt(machine.gpus, errors),
        "ffmpeg": _attempt(_ffmpeg, errors),
        "packages": [vars(package) for package in _packages(errors)],
        "face_models": models,
        "store": None if store is None else _store(store, errors),
        "commands": _commands(models["installed"]),
        "errors": [{"problem": error.problem, "remedy": error.remedy} for error in errors],
    }
    return found, errors


def _attempt(look: Callable[[], Any], errors: list[RfmetaError]) -> Any:
    """Return what a check finds; if it fails, keep its error and return None."""
    try:
        return look()
    except RfmetaError as error:
        errors.append(error)
        return None


def _ffmpeg() -> str | None:
    """Return the version of FFmpeg inside the package av; None if av is not installed."""
    av = imported("av", "video")
    return None if av is None else str(av.ffmpeg_version_info)


def _packages(errors: list[RfmetaError]) -> list[Package]:
    """Return the packages; an installed one in a version that does not fit is an error."""
    found: list[Package] = _attempt(packages, errors) or []
    for package in found:
        if not package.fits and (package.installed or BASE in package.parts):
            what = f"{package.name} {package.installed}" if package.installed else f"no {package.name}"
            part = "" if BASE in package.parts else f"[{package.parts[0]}]"
            errors.append(
                InstallationError(
                    f"{what} is installed, but this version of rfmeta needs {package.name}{package.needed}",
                    f"install one that fits: pip install 'rfmeta_dist{part}'",
                )
            )
    return found


def _face_models(errors: list[RfmetaError]) -> dict[str, Any]:
    """Return the folder of the face models and whether they can be used; that they are absent is no error."""
    from rfmeta_dist.ingest.models import SHA256, folder

    place = folder()
    absent = [name for name in SHA256 if not (place / name).exists()]
    loaded = not absent and _attempt(_load_faces, errors) is not None
    return {"folder": str(place), "absent": absent, "installed": loaded}


def _load_faces() -> Any:
    try:
        from rfmeta_dist.ingest.face import Faces

        return Faces()
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise InstallationError(
            f"the face models are there, but they cannot be loaded: {error}",
            "remove what loads them with: pip uninstall ai-edge-litert opencv-python-headless, then install it "
            "again with: pip install rfmeta_dist",
        ) from error


def _store(url: str, errors: list[RfmetaError]) -> dict[str, Any]:
    """Check whether a store answers, and whether it refuses to create an object twice."""
    found = {"url": masked(url), "reachable": False, "put_if_absent": False}
    try:
        from rfmeta_dist.storage.requirements import require_put_if_absent
        from rfmeta_dist.storage.store import open_store

        opened = open_store(url)
        _require_reachable(opened)
        found["reachable"] = True
        require_put_if_absent(opened)
        found["put_if_absent"] = True
    except RfmetaError as error:
        errors.append(error)
    except ModuleNotFoundError as error:
        explained = missing(error)
        if explained is None:
            raise
        errors.append(explained)
    return found


def _require_reachable(store: Store) -> None:
    """Ask for one object. A folder that does not exist is refused, because the probe would create it."""
    if "://" not in store.url and not Path(store.url).is_dir():
        raise StorageError(f"there is no folder {store.url}", "create it, or check the path")
    store.exists("any-object")


def _commands(faces: bool) -> dict[str, dict[str, Any]]:
    """Return for each command the modules and models that are missing, and what to type to get them."""
    found = {}
    for command, modules in NEEDS.items():
        absent = [module for module in dict.fromkeys(modules) if not present(module)]
        remedies = [f"pip install 'rfmeta_dist[{','.join(extras_of(absent))}]'"] if absent else []
        if command in ("ingest", "score") and not faces:
            absent.append("face models")
            remedies.append("rfmeta faces install")
        found[command] = {"ready": not absent, "missing": absent, "remedies": remedies}
    return found
