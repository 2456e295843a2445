"""Precision and determinism are set for the whole process, and never left to PyTorch's defaults."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

from rfmeta_dist.config.training import Training
from rfmeta_dist.training.precision import set_up


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Other tests run in this process."""
    yield
    set_up(Training())
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize(("precision", "expected"), [("fp32", "ieee"), ("bf16", "ieee"), ("tf32", "tf32")])
def test_float32_on_a_gpu_is_float32_unless_tf32_is_asked_for(precision: str, expected: str):
    for backend in (torch.backends.cudnn.conv, torch.backends.cuda.matmul):
        backend.fp32_precision = "tf32" if expected == "ieee" else "ieee"
    set_up(Training(precision=precision, gpus=1))
    assert torch.backends.cudnn.conv.fp32_precision == expected
    assert torch.backends.cuda.matmul.fp32_precision == expected
    # Exports read the older switch, which raises an error if it and the newer ones do not agree.
    assert torch.backends.cudnn.allow_tf32 is (expected == "tf32")
    assert torch.backends.cudnn.benchmark is False


def test_deterministic_is_switched_on_and_off():
    set_up(Training(deterministic=True))
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cudnn.deterministic
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    set_up(Training())
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
