"""`rfmeta doctor`: what this machine has, and what is missing for which command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli import machine
from rfmeta_dist.cli.terminal import Json, print_json, say, show_table
from rfmeta_dist.core.errors import InstallationError, RfmetaError, StorageError
from rfmeta_dist.core.extras import NEEDS, extras_of, missing
from rfmeta_dist.core.installed import BASE, Package, packages, present

if TYPE_CHECKING:
    from rfmeta_dist.storage.store import Store

EXAMPLES = """
[bold]Examples[/]

  rfmeta doctor

  rfmeta doctor --store s3://bucket/faces     [dim]# also write, read and delete one object there[/]

  rfmeta doctor --json

A package that is not installed is no error, because not every command needs it. If an installed package, the
face models or the store do not work, the exit code is that of the first such error.
"""


def doctor(
    store: Annotated[
        str | None, typer.Option(help="Also check a store, a folder or s3://…, that is to hold data or runs.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what this machine has, and what is missing for which command; nothing is installed or started."""
    errors: list[RfmetaError] = []
    found = {
        "machine": machine.describe(),
        "gpu": _attempt(machine.gpus, errors),
        "ffmpeg": _attempt(_ffmpeg, errors),
        "packages": [vars(package) for package in _checked_packages(errors)],
        "face_models": _face_models(errors),
        "store": None if store is None else _store(store, errors),
    }
    found["commands"] = _commands(found["face_models"]["installed"])
    found["errors"] = [{"problem": error.problem, "remedy": error.remedy} for error in errors]
    if json:
        print_json(found)
    else:
        _show(found)
    for error in errors[1:]:
        say(str(error), lead="also", style="bold red")
    if errors:
        raise errors[0]


def _attempt(look: Callable[[], Any], errors: list[RfmetaError]) -> Any:
    """Return what a check finds; if it fails, keep its error and return None."""
    try:
        return look()
    except RfmetaError as error:
        errors.append(error)
        return None


def _ffmpeg() -> str | None:
    """Return the version of FFmpeg inside the package av; None if av is not installed."""
    if not present("av"):
        return None
    try:
        import av
    except (ImportError, OSError) as error:
        raise InstallationError(
            f"av is installed, but importing it fails: {error}",
            "remove it with: pip uninstall av, then install it again with: pip install 'rfmeta_dist[video]'",
        ) from error
    return str(av.ffmpeg_version_info)


def _checked_packages(errors: list[RfmetaError]) -> list[Package]:
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
    from rfmeta_dist.ingest.face import Faces

    try:
        return Faces()
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise InstallationError(
            f"the face models are there, but LiteRT cannot load them: {error}",
            "remove it with: pip uninstall ai-edge-litert, then install it again with: pip install rfmeta_dist",
        ) from error


def _store(url: str, errors: list[RfmetaError]) -> dict[str, Any]:
    """Check whether a store answers, and whether it refuses to create an object twice."""
    found = {"url": url, "reachable": False, "put_if_absent": False}
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
    from pathlib import Path

    if "://" not in store.url and not Path(store.url).is_dir():
        raise StorageError(f"there is no folder {store.url}", "create it, or check the path")
    store.exists("any-object")


def _commands(faces: bool) -> dict[str, dict[str, Any]]:
    """Return for each command the modules and models that are missing, and what to type to get them."""
    found = {}
    for command, modules in NEEDS.items():
        absent = [module for module in modules if not present(module)]
        remedies = [f"pip install 'rfmeta_dist[{','.join(extras_of(absent))}]'"] if absent else []
        if command == "ingest" and not faces:
            absent.append("face models")
            remedies.append("rfmeta faces install")
        found[command] = {"ready": not absent, "missing": absent, "remedies": remedies}
    return found


def _show(found: dict[str, Any]) -> None:
    show_table(("this machine", ""), _machine_rows(found))
    rows = (
        (p["name"], p["needed"], p["installed"] or "not installed", ", ".join(p["parts"]))
        for p in found["packages"]
    )
    show_table(("package", "versions that fit", "installed", "part"), rows)
    commands = (
        (name, "ready" if c["ready"] else f"lacks {', '.join(c['missing'])}", "; ".join(c["remedies"]))
        for name, c in found["commands"].items()
    )
    show_table(("command", "state", "remedy"), commands)
    if any(not c["ready"] for c in found["commands"].values()):
        say("A command that lacks something ends with a line that says what; the others work without it.")


def _machine_rows(found: dict[str, Any]) -> Sequence[tuple[str, str]]:
    facts, models, store = found["machine"], found["face_models"], found["store"]
    available = facts["memory_available"]
    rows = [
        ("system", facts["system"]),
        ("Python", f"{facts['python']}, {facts['interpreter']}"),
        ("processor", f"{facts['processor']}, {facts['cores']} core(s) for this process"),
        ("memory", _size(facts["memory"]) + ("" if available is None else f", {_size(available)} available")),
    ]
    rows += [
        (f"free disk, {what}", f"{_size(disk['free'])} at {disk['path']}")
        for what, disk in facts["free_disk"].items()
    ]
    rows += [
        ("GPU", _gpu(found["gpu"])),
        ("FFmpeg", f"{found['ffmpeg']}, inside av" if found["ffmpeg"] else "none; the extra video brings it"),
        ("face models", f"loaded from {models['folder']}" if models["installed"] else _no_models(models)),
    ]
    if store is not None:
        answers = "answers" if store["reachable"] else "cannot be reached"
        safe = "has put-if-absent" if store["put_if_absent"] else "put-if-absent was not shown"
        rows.append(("store", f"{store['url']} {answers}; {safe}"))
    return rows


def _no_models(models: dict[str, Any]) -> str:
    if models["absent"]:
        return f"not at {models['folder']}; install them with: rfmeta faces install"
    return f"those at {models['folder']} cannot be used"


def _gpu(found: dict[str, Any] | None) -> str:
    if found is None:
        return "not known, because torch cannot be imported"
    if found["devices"]:
        return ", ".join(f"{one['name']} ({_size(one['memory'])})" for one in found["devices"])
    if found["torch"] is None:
        return "not known, because torch is not installed; the extra train brings it"
    if found["driver"]:
        return (
            f"there is an NVIDIA driver, but torch {found['torch']} cannot use it; install the build of torch "
            "for your version of CUDA"
        )
    return "none that torch can use; training runs on processors"


def _size(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e9:.1f} GB"
