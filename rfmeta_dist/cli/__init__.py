"""The `rfmeta` command. Heavy packages are imported where they are used, so that `--help` stays quick."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from rfmeta_dist.core.errors import RfmetaError


def main() -> None:
    """Run a command; an error of ours is one line on stderr and its exit code."""
    from rfmeta_dist.cli.app import app
    from rfmeta_dist.cli.terminal import open_terminal
    from rfmeta_dist.core.errors import ConfigError, RfmetaError, StorageError
    from rfmeta_dist.core.extras import missing
    from rfmeta_dist.core.loopback import bypass_proxies

    open_terminal()
    _end_in_order()
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
    except UnicodeEncodeError as error:  # of a name that was given in the bytes of another encoding
        said = f"a name is not text in the encoding {sys.getfilesystemencoding()}: {error.object!r}"
        _fail(ConfigError(said, "set PYTHONUTF8=1 in the environment, or rename the file or domain"))
    except OSError as error:  # a file or a disk that nobody nearer could say more about
        _fail(StorageError(str(error), "check the path, its owner and mode, and the space on its disk"))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _end_in_order() -> None:
    """Let SIGTERM and a closed terminal end the command as an exception does.

    Servers, workers and temporary folders that the command has started and made then end and go with it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # under nohup SIGHUP is ignored, and stays so
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _fail(error: RfmetaError) -> NoReturn:
    from rfmeta_dist.cli.terminal import say

    say(" ".join(str(error).split()), lead="error", style="bold red")
    sys.exit(error.exit_code)
