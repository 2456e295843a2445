"""Start the `rfmeta` command. Functions import the heavy packages that they need, so `--help` is quick."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

    from rfmeta_dist.core.errors import RfmetaError


def main() -> None:
    """Run the command that `sys.argv` names. An `RfmetaError` becomes one line on stderr and an exit code."""
    from rfmeta_dist.cli.app import app
    from rfmeta_dist.cli.terminal import open_terminal
    from rfmeta_dist.core import logs
    from rfmeta_dist.core.errors import ConfigError, RfmetaError, StorageError
    from rfmeta_dist.core.extras import missing
    from rfmeta_dist.core.loopback import bypass_proxies

    open_terminal()
    logs.hide_credentials()
    _end_in_order()
    bypass_proxies()  # must come before Ray and child processes start, because they inherit the environment
    try:
        app()
    except RfmetaError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        explained = missing(error)
        if explained is None:
            raise
        _fail(explained)
    except UnicodeEncodeError as error:  # a name holds bytes that are not text in the system's encoding
        said = f"a name is not text in the encoding {sys.getfilesystemencoding()}: {error.object!r}"
        _fail(ConfigError(said, "set PYTHONUTF8=1 in the environment, or rename the file or domain"))
    except OSError as error:  # an error that no function below could explain better
        said = f"the operating system reports an error: {error}"
        _fail(StorageError(said, "check the path, its owner and mode, and the space on its disk"))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _end_in_order() -> None:
    """Make SIGTERM and a closed terminal (SIGHUP) raise SystemExit.

    The command then stops the servers and workers that it started, and deletes its temporary folders.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup has set SIGHUP to be ignored, so leave it alone
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _fail(error: RfmetaError) -> NoReturn:
    from rfmeta_dist.cli.terminal import say_error

    say_error(error)
    sys.exit(error.exit_code)
