"""End a benchmark with its result as JSON, or with an exit code and a line that says what failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import RfmetaError


def give(result: dict[str, Any], out: Path | None) -> None:
    """Print the result, and write it to `out` if given. A list of numbers or texts takes one line."""
    text = one_line_a_row(result)
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n")


def one_line_a_row(result: dict[str, Any]) -> str:
    """Return the result as indented JSON in which each list of numbers or texts is on one line."""
    lists: dict[str, str] = {}

    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: marked(one) for name, one in value.items()}
        if not isinstance(value, list):
            return value
        if any(isinstance(one, list | dict) for one in value):
            return [marked(one) for one in value]
        mark = f"\0{len(lists)}"
        lists[json.dumps(mark)] = json.dumps(value)
        return mark

    text = json.dumps(marked(result), indent=1)
    return re.sub(r'"\\u0000\d+"', lambda found: lists[found[0]], text)


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
