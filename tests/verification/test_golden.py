"""The comparison with golden figures: what it lets pass, and what it does not."""

import json
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.verification import golden

FILE = Path(__file__).parent / "rfmeta_float64.json"


@pytest.fixture(scope="module")
def reference():
    return dict(golden._references(golden.load(FILE)))


def difference(reference, name, value) -> float:
    return golden._difference(name, reference | {name: value}, reference).relative


def test_every_figure_of_the_file_is_compared(reference):
    text = json.loads(FILE.read_text())
    tensors = len(text["param"])
    assert len(reference) == 2 * (5 + 2 * tensors) + 2 * tensors + 2 * len(text["running"]) + 1


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
def test_a_change_in_the_eighth_digit_shows(reference, name):
    assert difference(reference, name, reference[name] * (1 + 1e-8)) > 1e-9


def test_rounding_noise_of_a_bias_before_batch_norm_does_not_show_but_an_error_does(reference):
    name = "param F.conv1_1.bias sample"
    noise = np.full_like(reference[name], 1e-9)
    assert difference(reference, name, reference[name] + noise) < 1e-9
    assert difference(reference, name, reference[name] + 1e3 * noise) > 1e-9
    assert difference(reference, name, reference[name] * np.nan) == np.inf


@pytest.mark.parametrize("content", ["", "{}", "[1]"])
def test_a_file_that_is_not_golden_is_refused(tmp_path, content):
    path = tmp_path / "g.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"g\.json"):
        golden.load(path)
