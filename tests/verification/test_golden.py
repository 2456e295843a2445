"""The comparison with golden figures accepts rounding and refuses wrong figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.verification import golden
from rfmeta_dist.verification.parity import TOLERANCE

FILE = Path(__file__).parent / "rfmeta_float64.json"


@pytest.fixture
def figures() -> golden.Figures:
    """Return the figures of a recomputation that agrees with the file in every digit."""
    found = golden.references(golden.read_reference(FILE))
    means = {name: value for name, value in found.items() if name.endswith(" mean")}
    return found | {f"{name.removesuffix('mean')}norm": np.atleast_1d(1.0) for name in means}


def differing(figures: golden.Figures) -> list[str]:
    """Return the figures that `rfmeta verify --golden` would refuse."""
    found = golden.compare(figures, golden.references(golden.read_reference(FILE)))
    assert [d.relative for d in found] == sorted((d.relative for d in found), reverse=True)
    return [d.name for d in found if not d.relative <= TOLERANCE]


def test_every_figure_of_the_file_is_compared(figures):
    text = json.loads(FILE.read_text())
    tensors = len(text["param"])
    compared = golden.compare(figures, golden.references(text))
    assert len(compared) == 2 * (5 + 2 * tensors) + 2 * tensors + 2 * len(text["running"]) + 1
    assert differing(figures) == []
    noise = {name for name in figures if ("conv" in name and ".bias " in name) or name.endswith(" mean")}
    told = {d.name for d in compared if d.name not in noise}
    assert set(differing({name: value * 1.01 for name, value in figures.items()})) >= told


@pytest.mark.parametrize(
    "name",
    [
        "step 1 loss",
        "step 0 grad F.conv1_3.weight sample",
        "param M.bn2_1.bias norm",
        "eval_logit",
        "running D.bn3_2 var",
    ],
)
def test_a_change_in_the_eighth_digit_shows(figures, name):
    assert differing(figures | {name: figures[name] * (1 + 1e-8)}) == [name]


def test_rounding_noise_of_a_bias_before_batch_norm_does_not_show_but_an_error_does(figures):
    name = "param F.conv1_1.bias sample"
    noise = np.full_like(figures[name], 1e-9)
    assert differing(figures | {name: figures[name] + noise}) == []
    assert differing(figures | {name: figures[name] + 1e3 * noise}) == [name]
    assert differing(figures | {name: figures[name] * np.nan}) == [name]


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_file_that_is_not_golden_is_refused(tmp_path, content):
    path = tmp_path / "g.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"g\.json"):
        golden.read_reference(path)
