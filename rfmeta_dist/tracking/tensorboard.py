"""Write TensorBoard's event files into a run's folder.

tensorboard/events.out.tfevents.0000000.rfmeta    the steps from 0 on
tensorboard/events.out.tfevents.0000050.rfmeta    the steps from 50 on, …
tensorboard/events.out.tfevents.figures.rfmeta    figures of the model

Each file covers a fixed range of steps and follows from their metrics alone, so a run that is resumed, or whose
folder is in object storage, has every step once. TensorBoard reads all files of a folder as one run.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from rfmeta_dist.core.types import StepRow
from rfmeta_dist.storage.store import Store
from rfmeta_dist.tracking.record import Record, numbers

FOLDER = "tensorboard"
FILES = 20  # of a whole training, so that curves grow by a twentieth


class TensorBoard:
    """Shows one run in TensorBoard.

    Args:
        folder: the run's.
        steps: number of steps of the whole training.
    """

    def __init__(self, folder: Store, steps: int) -> None:
        self.name = f"TensorBoard's files in {folder.url}/{FOLDER}"
        self._folder, self._range, self._steps = folder, -(-steps // FILES), steps
        self._rows: dict[int, StepRow] = {}

    def show(self, rows: Sequence[StepRow]) -> None:
        """Write the files of those ranges of steps that are complete with these rows.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._rows |= {int(row["step"]): row for row in rows}
        for first in range(0, self._steps, self._range):
            steps = range(first, min(first + self._range, self._steps))
            if all(step in self._rows for step in steps):
                self._write(f"{first:07d}", {step: numbers(self._rows[step]) for step in steps})
                for step in steps:
                    del self._rows[step]

    def finish(self, record: Record) -> None:
        """Write all that is known of the run.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.show(record.rows)
        if record.figures:
            self._write("figures", {record.step: record.figures})

    def _write(self, part: str, values: Mapping[int, Mapping[str, float]]) -> None:
        self._folder.write(f"{FOLDER}/events.out.tfevents.{part}.rfmeta", events(values))


def events(values: Mapping[int, Mapping[str, float]]) -> bytes:
    """Return the content of an event file: numbers by step and name. Times are not told; steps are."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    file = io.BytesIO()
    writer = RecordWriter(file)
    writer.write(Event(file_version="brain.Event:2").SerializeToString())
    for step, named in sorted(values.items()):
        shown = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in named.items()])
        writer.write(Event(step=step, summary=shown).SerializeToString())
    return file.getvalue()
