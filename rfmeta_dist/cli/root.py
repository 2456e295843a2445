"""Define the options that stand before a command, such as `rfmeta --log-format json train …`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from rfmeta_dist import __version__
from rfmeta_dist.cli.terminal import show
from rfmeta_dist.core import logs

# typer does not export the base class of the errors that it prints itself.
_Mistake = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[2])


class LogFormat(StrEnum):
    """How messages are written on stderr."""

    text = "text"
    json = "json"


class Root(TyperGroup):
    """The group of all commands. In a JSON log, a mistake in options or arguments is one object."""

    def make_context(self, *args: Any, **named: Any) -> Any:
        """Read the options before the command."""
        with _logged():
            return super().make_context(*args, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. The log is opened before a command's own options are read, which may be wrong."""
        if ctx.params.get("log_format") == LogFormat.json:
            logs.open_json(self._named())
        else:
            logs.close_json()
        with _logged():
            return super().invoke(ctx)

    def _named(self) -> str:
        """Return the command that was given, such as `train` or `models show`; empty if there is none."""
        words = iter(sys.argv[1:])
        name = next((word for word in words if word in self.commands), "")
        below = getattr(self.commands.get(name), "commands", {})
        further = next(words, "")
        return f"{name} {further}" if further in below else name


@contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except _Mistake as error:
        out = logs.stream()
        if out is None:
            raise
        problem, context = error.format_message(), getattr(error, "ctx", None)
        remedy = f"see: {context.command_path if context else 'rfmeta'} --help"
        out.emit(
            "error",
            f"{problem} {remedy}",
            error="ConfigError",
            problem=problem,
            remedy=remedy,
            exit_code=error.exit_code,
        )
        sys.exit(error.exit_code)


def _version(value: bool) -> None:
    if value:
        show(f"rfmeta {__version__}")
        raise typer.Exit


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    log_format: Annotated[
        LogFormat,
        typer.Option(
            envvar=logs.VARIABLE,
            help="How messages are written on stderr: as text, or as one JSON object a line, with time, level "
            "and trace id. Results on stdout stay as they are.",
        ),
    ] = LogFormat.text,
) -> None:
    """Declare the options before the command. `Root.invoke` reads the format of the log."""
