"""Define what a command says about the work that it wants to be done in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rfmeta_dist.cluster.tasks import Task
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.tuning.orders import Order


@dataclass(frozen=True)
class End:
    """How an order ended.

    Attributes:
        error: what ended it; None if it was done.
        kind: "" unless the order's workers failed more than `training.restarts` times without a new
            checkpoint, or the order itself asked for more memory than there is: then `results.MEMORY` if the
            last failure was for want of memory, else `results.RESTARTS`. A training that diverged has "" and
            either no error or a DivergedError.
        result: what the task returned; None if there was an error.
    """

    error: RfmetaError | None = None
    kind: str = ""
    result: Any = None


class Work(Protocol):
    """What a command wants to be done in lanes.

    Attributes:
        name: names the work in the message about an error of Ray, such as "the study".
    """

    name: str

    def orders(self) -> Sequence[Order]:
        """Return all orders that are wanted now, most urgent first.

        It is called whenever an order is finished, and never twice at the same time. If it returns only orders
        that are being done, the lanes wait; if none, the work is finished. Orders that have ended may be
        returned again, and are then left out. All orders need the same workers.
        """

    def task(self, order: Order) -> Task:
        """Return the task of an order for a lane.

        It may wait, because it is called in a thread of its own. It is called again if a lane is lost.

        Raises:
            RfmetaError: the order cannot be done, and has ended.
        """

    def ended(self, order: Order, end: End) -> RfmetaError | None:
        """Take note of the end of an order.

        Returns:
            The error with which the command is to end when the other orders are done; None if there is none.

        Raises:
            RfmetaError: no further order may be begun.
        """
