"""Show the progress of training: a line for each run, with its losses, images per second and the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli.terminal import interactive, progress, say, time_left

if TYPE_CHECKING:
    from rich.progress import TaskID

SHORT = {
    "cls_meta_train": "cls",
    "dep_meta_train": "dep",
    "cls_meta_test": "cls'",
    "dep_meta_test": "dep'",
}
LINES = 10  # lines of progress for each run if the output is not a terminal


@contextmanager
def training_display(quiet: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield the function to call with the row of each step (see training/loop.py), plus `label` and `steps`.

    Rows about a change of a run's state are not shown.
    """
    from rich.progress import TextColumn

    with progress(quiet, TextColumn("{task.fields[figures]}")) as bars:
        tasks: dict[str, TaskID] = {}

        def show(row: dict[str, Any]) -> None:
            if "state" in row:
                return
            label, steps, done = row["label"], row["steps"], row["step"] + 1
            if label not in tasks:
                tasks[label] = bars.add_task(f"train → {label}", total=steps, figures="")
            bars.update(tasks[label], completed=done, figures=figures(row))
            if not (quiet or interactive()) and done % max(1, steps // LINES) == 0:
                left = time_left(bars, tasks[label])
                say(f"train → {label}  {done}/{steps}  {figures(row)}{left}")

        yield show


def figures(row: Mapping[str, Any]) -> str:
    """Return the losses of a step and its images per second, in short."""
    if row.get("skipped"):
        return "step skipped, because its loss or gradient is not finite"
    names = ("loss", "cls", "dep", *SHORT)
    parts = " ".join(f"{SHORT.get(name, name)} {row[name]:.3g}" for name in names if name in row)
    return f"{parts}  {row['images_per_second']:.0f} images/s"
