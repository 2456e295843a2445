"""Set how PyTorch computes on a GPU, for the whole process: nothing is left to its defaults."""

from __future__ import annotations

import os

import torch

from rfmeta_dist.config.training import Training


def set_up(training: Training) -> None:
    """Set precision and determinism as configured. Call this before anything is computed on a GPU.

    By default, PyTorch computes float32 convolutions on a GPU in TF32, which keeps three digits, and lets cuDNN
    choose kernels whose sums have another order each time.

    Args:
        training: the configuration's `training` section; `precision` and `deterministic` are used.
    """
    float32 = "tf32" if training.precision == "tf32" else "ieee"
    # PyTorch's exporter asks the older switch, which raises an error unless it and both newer ones agree.
    torch.backends.cudnn.allow_tf32 = float32 == "tf32"
    torch.backends.cudnn.conv.fp32_precision = float32  # type: ignore[attr-defined]  # missing in torch's stubs
    torch.backends.cudnn.rnn.fp32_precision = float32  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = float32
    # Sums of bf16 products stay in float32 until the end, also if a GPU splits them.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    # With `benchmark`, cuDNN times its kernels and takes the fastest: perhaps another one at the next start.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = training.deterministic
    # PyTorch would fill new memory with NaN, to find programs that read it. That takes time, and tests do it.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if training.deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS reads it when it is first used
    torch.use_deterministic_algorithms(training.deterministic)
