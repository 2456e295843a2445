"""Define what a lane does with a task, whether that is a stretch of a study's training or a whole run.

The lane calls the parts of a task in order and knows which errors end the task alone (lanes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from rfmeta_dist.core.errors import DivergedError, RfmetaError
from rfmeta_dist.verification.certificate import Proofs


class Doing(Protocol):
    """A task, as one of a lane's workers does it.

    Attributes:
        first: True for the first of the lane's workers, which alone writes and judges.
    """

    first: bool

    def train(self, proofs: Proofs) -> Any:
        """Train as far as the task says. All workers of the lane call this together.

        Args:
            proofs: the certificates that these workers have made.

        Returns:
            What `judge` is given.

        Raises:
            DivergedError: loss or gradient is not finite; every worker raises it at the same step.
            RfmetaError: another error, which one worker may raise while others wait for it in a sum.
        """

    def count(self) -> None:
        """Close the streams and write down what was read. The first worker calls this after training."""

    def judge(self, trained: Any) -> Any:
        """Judge the model, and return what the driver is told. The first worker calls this after `count`.

        Raises:
            DivergedError: the model's scores are not numbers.
            RfmetaError: another error, which would occur again.
        """

    def diverged(self, error: DivergedError) -> Any:
        """Write down that the training diverged, or raise the error. The first worker calls this."""


class Task(Protocol):
    """Something for a lane to do. It is pickled, and each of the lane's workers gets it."""

    def begin(self, *, first: bool) -> Doing:
        """Return the task as one of the lane's workers does it."""


@dataclass(frozen=True)
class Refused:
    """Stands for a task that cannot begin. The lane returns the error and does nothing."""

    error: RfmetaError
