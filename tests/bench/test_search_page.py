"""The page about the search shows the stored figures, and its verdict follows from the interval."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from bench.search.page import render

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "bench/results/search.json").read_text())


def test_the_page_in_the_documentation_is_that_of_the_stored_figures():
    assert (ROOT / "docs/search.md").read_text() == render(FOUND)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.05, -0.01, "The choices are better than the default."),
        (0.01, 0.05, "The choices are worse than the default."),
        (-0.01, 0.01, "No difference to the default is shown."),
    ],
)
def test_only_an_interval_without_zero_makes_a_difference(low, high, said):
    found = copy.deepcopy(FOUND)
    found["mean"]["worse_than_base"] |= {"low": low, "high": high}
    assert said in render(found)
