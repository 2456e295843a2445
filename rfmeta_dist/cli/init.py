"""`rfmeta init`: write the configurations and job specs that come with the package into a folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say
from rfmeta_dist.config.shipped import JOBS, shipped
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.places import absolute

EXAMPLES = """
[bold]Examples[/]

  rfmeta init                  [dim]# into the current folder[/]

  rfmeta init spoofing         [dim]# into the folder spoofing, which is created[/]

  rfmeta init --force          [dim]# replace files that you have changed by the examples[/]
"""
TOP = "jobs"  # the job specs name the configurations by this path, so the files keep it
DEMO = Path(TOP, "configs/demo.yaml")


def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to; the current folder if not given.", show_default=False)
    ] = Path("."),
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite files that are there and differ from the examples.")
    ] = False,
    json: Json = False,
) -> None:
    """Write example configurations and job specs into a folder, and say what to do with them."""
    from rfmeta_dist.storage.store import open_store

    place, files = absolute(folder), _examples()
    _require_folders(place, files)
    store = open_store(str(place))
    found = {name: store.read(name) for name in files if store.exists(name)}
    changed = [name for name in found if found[name] != files[name]]
    if changed and not force:
        raise ConfigError(
            f"{place / changed[0]} exists already and is not the example ({len(changed)} such file(s)), so "
            "nothing was written",
            "add --force to overwrite such files, or give another folder",
        )
    written = [name for name in files if name not in found or name in changed]
    for name in written:
        store.write(name, files[name])
    if json:
        print_json({"folder": str(place), "written": written, "kept": [n for n in files if n not in written]})
        return
    for name in files:
        say(f"{'wrote' if name in written else 'is there already:'} {place / name}")
    _say_next(place)


def demo_configuration() -> Path:
    """Return the path of the demo's configuration.

    It is the file that `rfmeta init` wrote in the current folder, or else the one in the package.
    """
    return DEMO if DEMO.is_file() else shipped(JOBS, "configs") / DEMO.relative_to(TOP)


def _examples() -> dict[str, bytes]:
    """Return the content of each example, by its path below the folder that is written to."""
    source = shipped(JOBS, "configs")
    paths = sorted(source.rglob("*.yaml"))
    return {f"{TOP}/{path.relative_to(source).as_posix()}": path.read_bytes() for path in paths}


def _require_folders(place: Path, files: dict[str, bytes]) -> None:
    """Raise a ConfigError if something that is not a folder has the name of a folder that is needed."""
    for needed in (place, *sorted({(place / name).parent for name in files})):
        if needed.exists() and not needed.is_dir():
            raise ConfigError(f"{needed} is not a folder", "remove or rename it, or give another folder")


def _say_next(place: Path) -> None:
    enter = [] if place == Path.cwd() else [f"  cd {shlex.quote(str(place))}"]
    say(
        "What to do next:",
        *enter,
        "  rfmeta doctor    see what this machine has, and what is missing for which command",
        "  rfmeta demo      generate faces, train, judge and write a report, with jobs/configs/demo.yaml",
        "For your own data, change data.prefix, data.sources, data.target and training.gpus in "
        "jobs/configs/oci_to_m.yaml, then give: rfmeta train jobs/configs/oci_to_m.yaml",
    )
