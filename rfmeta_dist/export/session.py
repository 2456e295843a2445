"""Run an ONNX model as a detector, so that code that judges detectors can judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from rfmeta_dist.deploy.package import MODEL, ONNX
from rfmeta_dist.detectors.api import ScoreError
from rfmeta_dist.export.graph import INPUT, OUTPUT

if TYPE_CHECKING:
    from rfmeta_dist.storage.store import Store

_TOGETHER = 16  # crops that are computed at once; more would only need more memory
_ERRORS_ONLY = 3  # severity from which onnxruntime prints messages


class OnnxDetector:
    """A detector that scores with onnxruntime on CPUs.

    Args:
        model: the content of an ONNX file with the input `image` and the output `score`.
        threads: number of threads that compute.
    """

    kind = ONNX
    wants: Literal["frame", "clip"] = "frame"

    def __init__(self, model: bytes, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _ERRORS_ONLY
        options.enable_cpu_mem_arena = False  # it would keep the memory of the largest batch
        # Idle threads sleep: spinning would take the time of other processes on a busy machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        onnxruntime.disable_telemetry_events()
        self._model = model
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def score(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the scores of B×S×S×3 RGB crops, or of patches if the model cuts patches: a patch is a crop.

        Raises:
            ScoreError: a score is not a number in [0, 1].
        """
        # At least one call, because an empty batch too must have the right size and type.
        parts = [self._run(faces[at : at + _TOGETHER]) for at in range(0, max(1, len(faces)), _TOGETHER)]
        scores = np.concatenate(parts)
        bad = ~((scores >= 0) & (scores <= 1))
        if bad.any():
            raise ScoreError(
                "the ONNX model does not compute a number for it",
                "export the model again; if that does not help, score with the trained model",
                int(np.flatnonzero(bad)[0]),
            )
        return scores

    def _run(self, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
        (found,) = self._session.run([OUTPUT], {INPUT: np.ascontiguousarray(faces)})
        return np.asarray(found, np.float64)

    def save(self, folder: Store) -> dict[str, Any]:
        """Write the model's file. Its loader needs nothing else."""
        folder.write(MODEL, self._model)
        return {}
