"""`rfmeta doctor`: print what this machine has, and what is missing for which command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, show_table

EXAMPLES = """
[bold]Examples[/]

  rfmeta doctor

  rfmeta doctor --store s3://bucket/faces     [dim]# also write and delete one object there[/]

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
    from rfmeta_dist.cli.checkup import examine

    found, errors = examine(store)
    if json:
        print_json(found)
    else:
        _show(found)
    for error in errors[1:]:
        say(str(error), lead="also", style="bold red")
    if errors:
        raise errors[0]


def _show(found: dict[str, Any]) -> None:
    from rich.table import Column
    from rich.text import Text

    show_table(("this machine", ""), _machine_rows(found))
    rows = (
        (p["name"], p["needed"], p["installed"] or "not installed", ", ".join(p["parts"]))
        for p in found["packages"]
    )
    show_table(("package", "versions that fit", "installed", "part"), rows)
    commands = (
        (name, "ready" if c["ready"] else f"lacks {', '.join(c['missing'])}", Text("\n".join(c["remedies"])))
        for name, c in found["commands"].items()
    )
    remedy = Column("remedy", no_wrap=True)  # so that it can be copied whole
    show_table((Column("command", no_wrap=True), "state", remedy), commands)
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
