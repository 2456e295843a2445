"""Convert an ONNX model to int8: weights and activations of convolutions and matrix products have 8 bits.

The scale of each activation is measured on crops (static quantization), that of weights is chosen per output
channel. Scores move, so an int8 model needs thresholds of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from rfmeta_dist.export.graph import INPUT

CALIBRATED = 100  # crops
_OPERATORS = ["Conv", "MatMul", "Gemm"]
_BATCH = 4


class _Crops(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Yields batches of crops as onnxruntime's calibration wants them."""

    def __init__(self, stacks: Sequence[NDArray[np.uint8]]) -> None:
        self._batches = (stack[at : at + _BATCH] for stack in stacks for at in range(0, len(stack), _BATCH))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next input, or None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: np.ascontiguousarray(batch)}


def to_int8(model: bytes, stacks: Sequence[NDArray[np.uint8]]) -> bytes:
    """Return the int8 model of an fp32 model.

    Args:
        model: the content of the fp32 model's ONNX file.
        stacks: crops to measure the range of activations on, in arrays of one size.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, prepared, after = (
            str(Path(folder) / f"{name}.onnx") for name in ("before", "prepared", "after")
        )
        Path(before).write_bytes(model)
        # Symbolic shape inference fails on the sizes of batches and crops, and is not needed here.
        quant_pre_process(before, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            after,
            _Crops(stacks),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            op_types_to_quantize=_OPERATORS,
        )
        return Path(after).read_bytes()
