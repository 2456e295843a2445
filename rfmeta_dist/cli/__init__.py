"""The `rfmeta` command. Heavy packages are imported where they are used, so that `--help` stays quick."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rfmeta_dist.core.errors import RfmetaError


def main() -> None:
    """Entry point: run a command; an error of ours is one line on stderr and its exit code."""
    from rfmeta_dist.cli.app import app
    from rfmeta_dist.core.errors import RfmetaError, StorageError
    from rfmeta_dist.core.extras import missing
    from rfmeta_dist.core.loopback import bypass_proxies

    bypass_proxies()  # before Ray, and before any child process
    try:
        app()
    except RfmetaError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        explained = missing(error)
        if explained is None:
            raise
        _fail(explained)
    except OSError as error:  # a file or a disk that nobody nearer could say more about
        _fail(StorageError(str(error), "check the path, its owner and mode, and the space on its disk"))
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(error: RfmetaError) -> NoReturn:
    from rich.markup import escape

    from rfmeta_dist.cli.terminal import console

    line = escape(" ".join(str(error).split()))
    console.print(f"[bold red]error[/] {line}", highlight=False, soft_wrap=True)
    sys.exit(error.exit_code)
