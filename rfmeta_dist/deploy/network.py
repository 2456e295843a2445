"""Run a deployed ONNX model with ONNX Runtime, on the CPU and on as many threads as asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from rfmeta_dist.core.errors import ConfigError, PackageError
from rfmeta_dist.detectors.api import ScoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ERRORS_ONLY = 3  # ONNX Runtime's level of messages: it would warn about GPUs that it does not find


class Network:
    """A model that scores face crops. Several threads may use one at the same time.

    Args:
        content: the ONNX file.
        size: height and width of the crops in pixels; None if it takes crops of several sizes.
        threads: threads for one batch.
        where: the package's folder, for errors.

    Raises:
        ConfigError: `threads` is below 1.
        PackageError: the file is not a model of this input and output.
    """

    def __init__(self, content: bytes, size: tuple[int, int] | None, threads: int, where: str) -> None:
        if threads < 1:
            raise ConfigError(f"a model cannot run on {threads} threads", "set threads to 1 or more")
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = _ERRORS_ONLY
        # Waiting threads would otherwise keep their cores busy for a while after each batch.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's errors have no narrower class in common
            raise _not_a_model(where, str(error).splitlines()[0]) from error
        self._require(size, where)

    def scores(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Score B×H×W×3 uint8 RGB face crops.

        Returns:
            B probabilities that the face is live.

        Raises:
            ScoreError: a score is not a number in [0, 1].
        """
        found: NDArray[np.float32] = self._session.run(["score"], {"image": crops})[0]
        wrong = np.flatnonzero(~((found >= 0) & (found <= 1)))
        if len(wrong):
            raise ScoreError(
                f"the model gives the score {found[wrong[0]]}, which is not a number from 0 to 1",
                "export another model: this one's weights are not finite, or it was changed by hand",
                int(wrong[0]),
            )
        return found

    def _require(self, size: tuple[int, int] | None, where: str) -> None:
        """Raise a PackageError unless the model takes crops of this size and returns one score for each."""
        takes, gives = self._session.get_inputs(), self._session.get_outputs()
        known = [_described(tensor) for tensor in (*takes, *gives)]
        fits = (
            known == [("image", "tensor(uint8)", 4), ("score", "tensor(float)", 1)]
            and all(
                given in (wanted, None)
                or isinstance(given, str)  # a text names a side that may have any length
                for given, wanted in zip(takes[0].shape[1:], (*(size or (None, None)), 3), strict=True)
            )
        )
        if not fits:
            described = ", ".join(f"{x.name} {x.type} {x.shape}" for x in (*takes, *gives))
            wanted = f"image, uint8 B×{'×'.join(map(str, size or ('H', 'W')))}×3, and score"
            raise _not_a_model(where, f"it has {described}, not {wanted}")


def _described(tensor: Any) -> tuple[str, str, int]:
    return tensor.name, tensor.type, len(tensor.shape)


def _not_a_model(where: str, why: str) -> PackageError:
    return PackageError(
        f"the model of the deployment package at {where} cannot be used: {why}",
        "export the trained model again: rfmeta export",
    )
