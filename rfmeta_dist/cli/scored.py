"""Print what `rfmeta score` found: results as lines or JSON, progress, and what was left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import interactive, print_json, progress, say, show
from rfmeta_dist.deploy.rows import outcome, rule

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.progress import Progress as Bars
    from rich.progress import Task

    from rfmeta_dist.core.types import Unit
    from rfmeta_dist.deploy.parts import Progress
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.deploy.sweep import FileResult

DeploymentPackage = Annotated[
    str,
    typer.Argument(
        help="Folder that `rfmeta export` wrote, or of a run of hand-made features; a path or s3://….",
        metavar="PACKAGE",
        show_default=False,
    ),
]
PackagePoint = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Use the threshold of this operating point of the package, such as bpcer@apcer1, instead of "
        "the package's own threshold.",
        show_default=False,
    ),
]
PAUSE_S = 30.0  # seconds between two lines of progress where stderr is not a terminal


def open_scorer(package: str, threads: int, operating_point: str | None, *, upright: bool) -> Scorer:
    """Return the model of a deployment package; see `Scorer` for the arguments and errors."""
    import cv2

    from rfmeta_dist.deploy.scorer import Scorer

    cv2.setNumThreads(1)  # it would take all cores for a large picture, whatever --threads says
    return Scorer(package, threads, operating_point, upright=upright)


@dataclass(frozen=True)
class Printer:
    """Prints results on stdout.

    Attributes:
        json: print JSON, one line for each frame, video and unreadable file.
        whole: print the frames of videos too if not `json`.
    """

    json: bool
    whole: bool = False

    def show(self, found: FileResult) -> None:
        """Print the result of a file."""
        if self.json:
            for row in _json_rows(found):
                print_json(row, lines=True)
            return
        why = found.refused.words if found.refused else ""
        if found.kind == "video" and not why:
            scored = sum(1 for _, result in found.frames if result.verdict != "refused")
            why = f"{scored} of {len(found.frames)} frames were scored"
        show(_line(found.verdict, found.score, found.name, why))
        if self.whole and found.kind == "video":
            for number, result in found.frames:
                words = result.words if result.verdict == "refused" else ""
                show(_line(result.verdict, getattr(result, "score", None), f"  frame {number}", words))


def _line(verdict: str, score: float | None, name: str, why: str) -> str:
    return f"{verdict:8}{'      ' if score is None else f'{score:.4f}'}  {name}  {why}".rstrip()


def _json_rows(found: FileResult) -> Iterator[dict[str, Any]]:
    """Yield a row for each frame, then one for a video, or the only one for a file that could not be read."""
    for number, result in found.frames:
        assert found.decision is not None
        yield {"unit": "frame", "video": found.name, "frame": number, **outcome(result)}
    if found.kind == "picture":
        return
    words = {"reason": found.refused.reason, "words": found.refused.words} if found.refused else {}
    row = {"unit": found.kind or "file", "video": found.name, "score": found.score, "verdict": found.verdict}
    yield {**row, **words, **({} if found.refused or not found.decision else rule(found.decision))}


class Progressing:
    """Shows how many files were scored, how fast, and how long it will take; as lines if there is no terminal.

    Args:
        total: counts the files; called if anything is shown.
        done: number of files that were scored before.
        quiet: show nothing.
    """

    def __init__(self, total: Callable[[], int], done: int, quiet: bool) -> None:
        self._quiet, self._done, self._first = quiet, done, done
        self._total = 0 if quiet else total()
        self._start = self._said = time.monotonic()
        self._bars: AbstractContextManager[Bars] | None = None

    def __enter__(self) -> Progressing:
        self._bars = progress(self._quiet, _rate_column())
        self._shown = self._bars.__enter__()
        self._task = self._shown.add_task("score", total=self._total, completed=self._done)
        return self

    def __exit__(self, *error: Any) -> None:
        assert self._bars is not None
        self._bars.__exit__(*error)

    def add(self) -> None:
        """Count one more file."""
        self._done += 1
        self._shown.update(self._task, completed=self._done)
        now = time.monotonic()
        if self._quiet or interactive() or now - self._said < PAUSE_S:
            return
        self._said = now
        rate = (self._done - self._first) / (now - self._start)
        minutes = max(0, self._total - self._done) / rate / 60
        say(f"{self._done:,} of {self._total:,} files, {rate:.1f} a second, {minutes:.1f} minutes left")


@contextmanager
def resumable(state: Progress) -> Iterator[None]:
    """If Ctrl-C or SIGTERM ends the command, say which scores are kept."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        say(
            f"interrupted; the scores of {state.files:,} files are kept. Give the same command again to score "
            "the rest"
        )
        raise


def _rate_column() -> Any:
    """Return a column of the progress display that shows files per second."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Shows the recent speed of a task."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f} files/s" if task.speed else "")

    return Rate()


def say_rule(scorer: Scorer, *units: Unit) -> None:
    """Print which thresholds make the verdicts, and where they come from."""
    for unit in units:
        rule = scorer.decision(unit)
        named = f"operating point {rule.operating_point}, " if rule.operating_point else ""
        say(f"live per {unit}: a score of at least {rule.threshold:.4f} ({named}{rule.origin})")


def say_end(tally: Progress) -> None:
    """Print the number of files by verdict, and of files and frames that were not scored by reason."""
    from rfmeta_dist.deploy.results import REASONS

    counted = ", ".join(f"{number:,} {verdict}" for verdict, number in tally.verdicts.items())
    say(f"{sum(tally.verdicts.values()):,} files: {counted}")
    meanings = {str(reason): words for reason, words in REASONS.items()}
    for reason, number in tally.reasons.items():
        say(f"  {number:,} {reason}: {meanings[reason]}")
