"""Show many trainings at once: a table that is renewed on a terminal, or a line for each event elsewhere.

The table shows the trainings that run now, then those that failed, as many as the terminal has lines for. Below
it, a line counts all trainings and estimates the time that is left.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfmeta_dist.cli.terminal import console, interactive, plain_table, say
from rfmeta_dist.cli.watch import LINES, figures
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.periodic import periodically

if TYPE_CHECKING:
    from rich.console import RenderableType

News = Mapping[str, Any]
WAITING, TRAINING, PAUSED, TRAINED, JUDGING, DONE, FAILED = STATES = (
    "waiting",
    "training",
    "paused",
    "trained",
    "judging",
    "done",
    "failed",
)
ORDER = (TRAINING, JUDGING, FAILED, TRAINED, WAITING, PAUSED, DONE)  # of the table's lines, from its top
LOOK_S = 5.0  # seconds between two looks at the folders of trainings of which no news comes
SILENT_S = 30.0  # seconds without news after which the folder of a training is looked at
AROUND = 6  # lines of the terminal that are left to the table's head, the line below it and the prompt
WIDTHS = {"step": 9, "loss": 5, "left": 8, "state": 8}  # so that columns do not move while figures change
FIGURES = ("step", "loss", "sources' HTER", "left", "state")


@dataclass
class Line:
    """What is known of one training.

    Attributes:
        cells: texts of the columns that say which training it is.
        state: one of STATES.
        step: steps that are done.
        steps: steps of the whole training; 0 if not known yet.
        loss: loss of the newest step; NaN if that step was skipped or if none is known.
        pace: seconds of a step, as a mean in which later steps weigh more; NaN if not known.
        validation: HTER per video on the sources' validation splits, where the threshold was chosen; None if
            it is not known yet.
        reason: why the training failed.
        heard: `time.monotonic()` of the newest news.
    """

    cells: Sequence[str]
    state: str = WAITING
    step: int = 0
    steps: int = 0
    loss: float = math.nan
    pace: float = math.nan
    validation: float | None = None
    reason: str = ""
    heard: float = 0.0

    @property
    def left(self) -> float:
        """Return the seconds of training that are left; NaN if they are not known."""
        return self.pace * (self.steps - self.step)

    def shown(self) -> list[str]:
        """Return the texts of all columns."""
        training = self.state == TRAINING
        return [
            *self.cells,
            f"{self.step}/{self.steps}" if self.steps else "",
            "" if math.isnan(self.loss) else f"{self.loss:.3g}",
            "" if self.validation is None else f"{100 * self.validation:.1f} %",
            duration(self.left) if training and not math.isnan(self.left) else "",
            f"{self.state}: {self.reason}" if self.reason else self.state,
        ]


class Board:
    """The state of each training, from the news of its steps.

    Args:
        columns: heads of the columns that say which training a line is.
        cells: texts of these columns by the training's label, in the order of the table.
        left: returns the seconds that are left, or NaN, where more is known about them than the lines tell.
    """

    def __init__(
        self,
        columns: Sequence[str],
        cells: Mapping[str, Sequence[str]],
        left: Callable[[], float] | None = None,
    ) -> None:
        self._columns, self._left = columns, left
        self.lines = {label: Line(texts) for label, texts in cells.items()}
        self._together = 1  # most trainings that ran at once until now

    def show(self, row: News) -> bool:
        """Take in the row of a step (see training/loop.py), with `label` and `steps`, or a change of state.

        A change of state has `label`, `state`, and `reason` or `validation` if there is one.

        Returns:
            True if the state, or the reason of a failure, is now another one than before.
        """
        empty = ["" for _ in self._columns[1:]]
        line = self.lines.setdefault(row["label"], Line((row["label"], *empty)))
        before, line.heard = (line.state, line.reason), time.monotonic()
        if "state" in row:
            line.state, line.reason = row["state"], row.get("reason", "")
            line.validation = row.get("validation", line.validation)
        else:
            line.step, line.steps = row["step"] + 1, row["steps"]
            line.loss = row.get("loss", math.nan)
            pace = line.pace if line.pace > 0 else row["seconds"]
            line.pace = 0.9 * pace + 0.1 * row["seconds"]
            line.state = TRAINING if line.step < line.steps else JUDGING
            running = sum(line.state == TRAINING for line in list(self.lines.values()))
            self._together = max(self._together, running)
        return (line.state, line.reason) != before

    def silent(self) -> list[str]:
        """Return the labels of trainings that may have ended without news."""
        late = time.monotonic() - SILENT_S
        return [
            label
            for label, line in self.lines.items()
            if line.state in (JUDGING, TRAINED) or (line.state == TRAINING and line.heard < late)
        ]

    def summary(self) -> str:
        """Return one line that counts the trainings by state and estimates the time that is left."""
        counts = Counter(line.state for line in list(self.lines.values()))
        parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
        return ", ".join(parts) + (f"; about {duration(self.left)} of training left" if self.left > 0 else "")

    @property
    def left(self) -> float:
        """Estimate the seconds of training that are left, without start and judging. NaN if not known.

        As many trainings run at once as ran at most until now.
        """
        if self._left is not None:
            return self._left()
        lines = list(self.lines.values())  # a copy, because another thread may add a line
        paces = [line.pace for line in lines if line.pace > 0]
        if not paces:
            return math.nan
        usual, steps = sum(paces) / len(paces), max(line.steps for line in lines)
        ahead = (line for line in lines if line.state in (WAITING, TRAINING))
        work = [(line.pace if line.pace > 0 else usual) * ((line.steps or steps) - line.step) for line in ahead]
        return max([sum(work) / self._together, *work])

    def table(self, room: int) -> RenderableType:
        """Return the table, cut to `room` lines, and the summary below it."""
        from rich.console import Group
        from rich.table import Column
        from rich.text import Text

        heads = []
        for name in (*self._columns, *FIGURES):
            side: Any = "right" if name in FIGURES[:-1] else "left"
            heads.append(
                Column(name, justify=side, min_width=WIDTHS.get(name), no_wrap=True, overflow="ellipsis")
            )
        lines = sorted(self.lines.values(), key=lambda line: ORDER.index(line.state))
        shown = plain_table(heads, [line.shown() for line in lines[:room]], pad_edge=False)
        hidden = len(lines) - room
        more = f"{hidden} more trainings are not shown. " if hidden > 0 else ""
        return Group(shown, Text(more + self.summary()))


@contextmanager
def live_table(
    columns: Sequence[str],
    cells: Mapping[str, Sequence[str]],
    quiet: bool,
    *,
    found: Iterable[News] = (),
    look: Callable[[str], News | None] | None = None,
    left: Callable[[], float] | None = None,
) -> Iterator[Callable[[News], None]]:
    """Show trainings while the context is open. Yield the function to call with each of their news.

    Args:
        columns: heads of the columns that say which training a line is.
        cells: texts of these columns by the training's label. A label that is not among them gets a line too.
        quiet: True to print nothing.
        found: changes of state that were found before the start, which are not printed as events.
        look: returns a change of state that is found in the folder of the training with this label, or None. It
            is called every LOOK_S seconds for each training of which no news comes.
        left: returns the seconds that are left, or NaN; estimated from the table's lines if not given.
    """
    from rich.live import Live

    board, terminal = Board(columns, cells, left), interactive() and not quiet
    for row in found:
        board.show(row)

    def show(row: News) -> None:
        changed = board.show(row)
        if not (quiet or terminal):
            _tell(row, board.lines[row["label"]], changed)

    def look_around() -> None:
        for label in board.silent():
            with suppress(RfmetaError):  # the training goes on, and its own errors are told by the command
                if look and (row := look(label)):
                    show({"label": label, **row})

    def render() -> RenderableType:
        return board.table(max(3, console.size.height - AROUND))

    shown = Live(get_renderable=render, console=console, refresh_per_second=2, transient=True)
    with shown if terminal else nullcontext(), nullcontext() if quiet else periodically(LOOK_S, look_around):
        yield show
    if not (quiet or terminal):
        look_around()  # trainings that ended since the last look get their line too


def _tell(row: News, line: Line, changed: bool) -> None:
    """Print the line of an event: a tenth of the steps is done, or the state changed."""
    label = row["label"]
    if "state" in row:
        after = f": {line.reason}" if line.reason else ""
        if not after and line.validation is not None:
            after = f"  sources' HTER {100 * line.validation:.1f} %"
        if changed:
            say(f"{line.state} → {label}{after}")
    elif line.step % max(1, line.steps // LINES) == 0:
        left = f", {duration(line.left)} left" if line.left > 0 else ""
        say(f"train → {label}  {line.step}/{line.steps}  {figures(row)}{left}")


def duration(seconds: float) -> str:
    """Format a time in its largest unit: `45 s`, `12.5 min`, `3.2 h`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
