"""Delete the checkpoints of trainings that go no further, with few requests to the store."""

from __future__ import annotations

from collections.abc import Iterable

from rfmeta_dist.config.schema import Config
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.storage.store import Store


class Checkpoints:
    """The checkpoints of the trainings of studies.

    The folders of all trainings are listed once, at the first removal. So a study that is started again asks
    the store for one listing, and not for one for each training that ended long ago.

    Args:
        trainings: the folder that holds the trainings.
    """

    def __init__(self, trainings: Store) -> None:
        self._trainings = trainings
        self._there: set[str] | None = None  # trainings that may have checkpoints
        self._expected: set[str] = set()

    def expect(self, names: Iterable[str]) -> None:
        """Take note that trainings with these names are begun, or go on, and will write checkpoints."""
        self._expected |= set(names)

    def remove(self, unwanted: Iterable[Config]) -> None:
        """Delete the checkpoints of these trainings, if they have any.

        Raises:
            StorageError: the store cannot be read or written.
        """
        if self._there is None:
            listed = (name.split("/") for name in self._trainings.list())
            self._there = {path[0] for path in listed if path[1:] and path[1].startswith("step-")}
        self._there |= self._expected
        for config in unwanted:
            if config.run.name in self._there:
                runs.remove_checkpoints(runs.open_folder(config))
                self._there.discard(config.run.name)
                self._expected.discard(config.run.name)
