"""The `rfmeta` command. Heavy packages are imported where they are used, so that `--help` stays quick."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point: run a command; an error of ours is one line on stderr and its exit code."""
    from rfmeta_dist.cli.app import app
    from rfmeta_dist.core.errors import RfmetaError

    try:
        app()
    except RfmetaError as error:
        from rfmeta_dist.cli.terminal import console

        console.print(f"[bold red]error[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(" ".join(text.split()))
