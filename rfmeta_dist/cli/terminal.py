"""What commands print: progress and prose on stderr, results on stdout, JSON where asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress

console = Console(stderr=True)

ConfigFile = Annotated[Path, typer.Argument(help="Configuration file; see jobs/configs.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="FIELD=VALUE", help="Override a field, such as training.steps=100."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and no progress.")]
Slots = Annotated[
    int | None, typer.Option(min=1, help="Logical CPUs of a local Ray; the machine's cores if not given.")
]
Address = Annotated[
    str | None, typer.Option(help="Ray cluster to use, such as auto or ray://host:10001; local if not given.")
]


def print_json(result: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=1) + "\n")


def say(message: str) -> None:
    """A line of prose for people."""
    console.print(message, highlight=False, soft_wrap=True)


@contextmanager
def progress(quiet: bool, *columns: Any) -> Iterator[Progress]:
    """A rich progress display, or a silent one."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
    )
    with Progress(*shown, console=console, disable=quiet or not console.is_terminal) as bar:
        yield bar
