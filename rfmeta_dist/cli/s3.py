"""`rfmeta s3`: run a command while an embedded S3 server serves a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfmeta_dist.cli.terminal import say
from rfmeta_dist.core.errors import ConfigError

EXAMPLES = """
[bold]Examples[/]

  rfmeta s3 runs/s3 -- rfmeta shards stats s3://rfmeta/demo

  rfmeta s3 runs/s3 -- bash
"""
BUCKET = "rfmeta"


def s3(
    folder: Annotated[Path, typer.Argument(help="Folder that holds the objects.", show_default=False)],
    command: Annotated[
        list[str], typer.Argument(help="Command to run while the server is up.", show_default=False)
    ],
) -> None:
    """Serve a folder as S3 on this machine while a command runs.

    The command finds the server's address and keys in its AWS_… environment variables. The server has the
    bucket `rfmeta`, and ends with the command. The exit code is that of the command.
    """
    import subprocess

    from rfmeta_dist.storage.embedded import embedded_s3

    program = command[1:] if command[0] == "--" else command
    if not program:
        raise ConfigError("there is no command to run", "write rfmeta s3 FOLDER -- COMMAND")
    with embedded_s3(folder) as server:
        server.make_bucket(BUCKET)
        say(f"the S3 server is at {server.endpoint}, with the bucket {BUCKET}")
        try:
            code = subprocess.run(program, check=False).returncode
        except FileNotFoundError:
            raise ConfigError(
                f"the command {program[0]!r} was not found", "check its spelling, and that PATH has its folder"
            ) from None
    raise typer.Exit(code)
