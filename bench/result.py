"""End a benchmark with its result as JSON, or with an exit code and a line that says what failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import RfmetaError


def give(result: dict[str, Any], out: Path | None) -> None:
    """Print the result, and write it to `out` if given."""
    text = json.dumps(result, indent=1)
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n")


def exit_code(work: Callable[[], None]) -> int:
    """Do the work of a resumable benchmark and return the exit code. An error is printed as one line."""
    from rfmeta_dist.cli.terminal import (
        say,  # not at the top: bench.gpu runs without the command line's packages
    )

    try:
        work()
    except RfmetaError as error:
        say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; give the same command again to resume from here")
        return 130
    return 0
