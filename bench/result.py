"""How a benchmark gives its result: JSON on the terminal, and in a file if asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def give(result: dict[str, Any], out: Path | None) -> None:
    """Print the result, and write it."""
    text = json.dumps(result, indent=1)
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n")
