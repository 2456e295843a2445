"""Print everything that commands print: progress and messages on stderr, results on stdout.

Names come from data, stores and clusters, so a printed text may contain any character. No text is read as
markup, and characters that would control the terminal or reorder a line are shown as escapes, such as `\\x1b`.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any
from unicodedata import category

import typer
from rich.console import Console
from rich.text import Text

from rfmeta_dist.core import logs
from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import RfmetaError, StorageError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID
    from rich.table import Column, Table

ConfigFile = Annotated[
    Path, typer.Argument(help="Configuration file; `rfmeta example` lists some.", show_default=False)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="FIELD=VALUE",
        help="Override a field, such as training.steps=100; may be repeated.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on stdout, without a progress display.")
]
Slots = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of CPUs that a local Ray cluster may use; all cores of this machine if not given."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster to use, such as auto or ray://host:10001; if not given, Ray starts on this machine."
    ),
]

OperatingPoint = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Operating point, the need that a threshold meets. eer: equal errors. min-hter: lowest HTER. "
        "bpcer@apcer10, bpcer@apcer5, bpcer@apcer1: at most 10, 5 or 1 % of each attack type is accepted. "
        "apcer@bpcer5, apcer@bpcer1: at most 5 or 1 % of live faces are rejected. tpr@fpr1: at most 1 % of all "
        "attacks together is accepted.",
    ),
]

CLOSED = 141  # exit code if the reader of the output is gone, as after `| head -1`; 128 + SIGPIPE
_JOINERS = "\u200c\u200d"  # invisible, but needed to write Persian, Indian languages and emoji
_COLOUR = re.compile(r"(\x1b\[[\d;:]*m)")


def _closed(stream: IO[str]) -> None:
    """End the command without a message, because the reader of the stream has closed it."""
    _discard(stream)
    raise SystemExit(CLOSED)


def _discard(stream: IO[str]) -> None:
    # Python flushes the stream again when it exits. That would fail and print a traceback.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _gone(console: Console) -> None:
    _closed(console.file)


# Set for the whole class, because typer prints the help with its own console. Rich itself exits with code 1.
Console.on_broken_pipe = _gone  # type: ignore[method-assign, assignment]
console = Console(stderr=True)


def open_terminal() -> None:
    """Make sure that stdout and stderr exist and accept every character.

    A character that their encoding lacks is shown as an escape. A standard stream that the caller has closed is
    opened on /dev/null. Otherwise the next file would get its descriptor, and libraries would print into it.
    If RFMETA_LOG_FORMAT is json, stderr gets JSON objects.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logs.inherit()


def plain(text: str, keep: str = "") -> str:
    """Escape characters that a terminal obeys instead of showing: controls, line ends, marks that reorder text.

    Args:
        text: any text.
        keep: control characters to leave as they are.
    """
    return "".join(char if _harmless(char) or char in keep else _escape(char) for char in text)


def _harmless(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or category(char) in ("Zs", "Cn", "Co")


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def print_json(result: Any, *, lines: bool = False) -> None:
    """Print one JSON document on stdout; on one line if it is one of several (`lines`)."""
    utf = sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(result, ensure_ascii=not utf, indent=None if lines else 1)
    _write("".join(char if char == "\n" or _harmless(char) else json.dumps(char)[1:-1] for char in text) + "\n")


def show(*lines: str) -> None:
    """Print lines of a command's result on stdout."""
    _write("\n".join(map(plain, lines)) + "\n")


def show_log(piece: str) -> None:
    """Print a piece of a job's log on stdout.

    Line ends, tabs and colours are kept. Sequences that retitle, clear or query a terminal are escaped.
    """
    _write(_log(piece))


def say_log(piece: str) -> None:
    """Print a piece of a job's log on stderr, in the same way as `show_log`."""
    _write(piece if logs.stream() else _log(piece), sys.stderr)


def _log(piece: str) -> str:
    parts = _COLOUR.split(piece)
    colourless = (plain(part, "\n\r\t") for part in parts[::2])
    text = "".join(part for pair in zip(colourless, [*parts[1::2], ""], strict=True) for part in pair)
    return text + "\x1b[0m" if len(parts) > 1 else text  # reset the colour at the end


def _write(text: str, stream: IO[str] | None = None) -> None:
    stream = stream or sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _closed(stream)
    except OSError as error:
        _discard(stream)
        raise StorageError(
            f"the output cannot be written: {error.strerror}",
            "redirect the output to a disk that has free space, and give the command again",
        ) from error


def say(*lines: str, lead: str = "", style: str = "bold") -> None:
    """Print messages for the user on stderr, each on its own line; `lead` is highlighted before the first."""
    if (out := logs.stream()) is not None:
        level = lead if lead in ("warning", "error") else "info"
        for number, line in enumerate(lines):
            out.emit(level, f"{lead} {line}" if lead and level == "info" and not number else line)
        return
    start = (lead, style), " " if lead else ""
    for line in map(masked, lines):
        console.print(Text.assemble(*start, plain(line)), highlight=False, soft_wrap=True)
        start = ("", style), ""


def say_error(error: RfmetaError) -> None:
    """Print an error that ends the command on stderr: one line, or one JSON object with the error's parts."""
    line, out = " ".join(str(error).split()), logs.stream()
    if out is None:
        say(line, lead="error", style="bold red")
    else:
        out.emit("error", line, **logs.failed(error))


def interactive() -> bool:
    """Return True if stderr is a terminal, which can show bars of progress and tables that change."""
    return console.is_terminal and logs.stream() is None


def ask(question: str) -> None:
    """Ask a question on stderr. Return if the answer is yes; otherwise end the command."""
    if logs.stream() is not None:  # the question has no line end, so as a part of the log it would not be seen
        say(question)
        question = ""
    typer.confirm(plain(question), abort=True, err=True)


def show_table(
    columns: Sequence[str | Column], rows: Iterable[Sequence[str | Text] | None], title: str | None = None
) -> None:
    """Print a table on stdout. A row that is None ends a section; a cell that is a `Text` keeps its style."""
    from rich.table import Table

    table = Table(*columns, title=None if title is None else Text(title))
    for row in rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    show_rich(table)


def plain_table(columns: Sequence[str | Column], rows: Iterable[Sequence[str]], **layout: Any) -> Table:
    """Return a table without a frame whose cells are plain text, with control characters escaped.

    Args:
        columns: the heads.
        rows: the cells.
        layout: further arguments of rich's table, such as `padding`.
    """
    from rich import box
    from rich.table import Table

    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, **layout)
    for row in rows:
        table.add_row(*(Text(plain(cell, "\n")) for cell in row))
    return table


def fits(shown: RenderableType) -> bool:
    """Return True if stdout is wide enough to show a table without breaking its cells."""
    out = Console()
    return out.measure(shown, options=out.options.update(width=1000)).maximum <= out.width


def show_rich(shown: RenderableType) -> None:
    """Print a rich renderable on stdout, with control characters escaped."""
    from rich.segment import Segment, Segments

    out = Console()
    segments = [Segment(plain(s.text, "\n"), s.style, s.control) for s in out.render(shown)]
    out.print(Segments(segments), end="")


@contextmanager
def progress(quiet: bool, *columns: Any) -> Iterator[Progress]:
    """Yield a rich progress display, which shows nothing if `quiet` or if stderr is not a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    shown = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
    )
    # Rich would print on stderr, above the display, also what a command writes to a file or pipe as its stdout.
    shared = sys.stdout.isatty()
    hidden = quiet or not interactive()
    with Progress(*shown, console=console, disable=hidden, redirect_stdout=shared) as bar:
        yield bar


def time_left(bars: Progress, task: TaskID) -> str:
    """Return the end of a line of progress, such as `, 2.5 minutes left`; empty while it is not known."""
    (seconds,) = (shown.time_remaining for shown in bars.tasks if shown.id == task)
    if not seconds:
        return ""
    return f", {seconds / 60:.1f} minutes left" if seconds >= 60 else f", {seconds:.0f} seconds left"


class Notices(list[str]):
    """The messages that a command got from its workers, in order. `tell` also prints each at once."""

    def tell(self, line: str) -> None:
        """Keep a message for the output of `--json`, and print it on stderr."""
        self.append(line)
        say(line)
