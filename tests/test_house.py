"""Check rules of this project that no linter has."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 300  # lines of a module


@pytest.mark.parametrize("folder", ["rfmeta_dist", "tests", "bench"])
def test_no_module_is_longer_than_can_be_read_in_one_go(folder: str) -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert len(lengths) > 10
    assert {str(path): n for path, n in lengths.items() if n > LONGEST} == {}


def test_every_test_module_has_a_name_of_its_own() -> None:
    """Most test folders are not packages, so pytest cannot tell two modules of the same name apart."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
