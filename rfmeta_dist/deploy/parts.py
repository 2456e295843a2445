"""Write the scores of a folder's files as numbered parts, so that an interrupted command can go on.

    scores-00000.csv     a row for each frame that was scored, of the first files in the order of `files.walk`
    left-out-00000.csv   a row for each frame and file that was not scored, with the reason; if there are any
    progress.json        what was asked for, the last file of the last complete part, and counts

A part has a fixed number of files. It is complete when progress.json, which is written after it, names its last
file. A part that was being written when the command was killed is written again, with the same content.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.deploy.results import Scored
from rfmeta_dist.storage.errors import MissingError

if TYPE_CHECKING:
    from rfmeta_dist.deploy.files import Entry, Parts
    from rfmeta_dist.deploy.sweep import FileResult
    from rfmeta_dist.storage.store import Store

FORMAT = 1
PROGRESS = "progress.json"
SCORES = {
    "video": "string",
    "frame": "int64",
    "score": "double",
    "verdict": "string",
    "x": "double",
    "y": "double",
    "width": "double",
    "height": "double",
    "turned": "int64",
    "video_score": "double",
    "video_verdict": "string",
}
LEFT_OUT = {"video": "string", "frame": "int64", "reason": "string", "words": "string"}

Row = tuple[Any, ...]
Encode = Callable[[Mapping[str, str], Sequence[Row]], bytes]  # takes the types by column, and the rows


@dataclass
class Progress:
    """How far a folder has been scored.

    Attributes:
        asked: all that the parts depend on besides the files; a resumed command must ask the same.
        parts: number of complete parts.
        after: path of the last file of the last complete part; None before the first.
        files: number of files in the complete parts.
        verdicts: number of files by verdict.
        reasons: number of files and frames that were not scored, by reason.
        done: True if all files were scored.
    """

    asked: Mapping[str, Any]
    parts: int = 0
    after: list[str] | None = None
    files: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    done: bool = False


def begun(out: Store, asked: Mapping[str, Any]) -> Progress:
    """Return how far the parts in a folder have come; a new start if the folder is empty.

    Raises:
        ConfigError: the folder holds something else, or parts that were asked for otherwise.
        DataError: progress.json is damaged.
        StorageError: the folder cannot be read.
    """
    try:
        stored = json.loads(out.read(PROGRESS))
        if stored.pop("format") != FORMAT:
            raise ValueError("it is of another version")  # noqa: TRY301
        found = Progress(**stored)
    except MissingError:
        if out.list():
            raise ConfigError(
                f"the folder {out.url} is not empty and has no {PROGRESS}, so the scores are not written there",
                "give a new folder with --out",
            ) from None
        fresh = Progress(asked)
        _keep(out, fresh)  # before the first part, which is otherwise taken for the user's own file
        return fresh
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{out.url}/{PROGRESS} is damaged ({error}), so it is not known how far the scores have come",
            "give a new folder with --out",
        ) from error
    for name, value in asked.items():
        if found.asked.get(name) != value:
            raise ConfigError(
                f"the scores in {out.url} were begun with {name} {found.asked.get(name)}, not {value} as now",
                "give the same command as before to continue, or a new folder with --out",
            )
    return found


def write(
    out: Store,
    progress: Progress,
    entries: Iterable[Entry],
    score: Callable[[Iterable[Entry]], Iterable[FileResult]],
    size: int,
    encode: Encode,
    ending: str,
) -> Iterator[FileResult]:
    """Score files, write each part as soon as it is complete, and yield the results.

    Args:
        out: the folder to write to.
        progress: from `begun`; it is kept up to date.
        entries: the files after `progress.after`, in the order of `files.walk`.
        score: scores files in the order in which it gets them.
        size: number of files in a part.
        encode: makes the file of a table.
        ending: of the names of the parts' files, such as `csv`.

    Raises:
        StorageError: a part cannot be written. The parts before it are complete.
    """
    left, more = iter(entries), True
    while more:
        last: list[Parts] = []
        scored: list[Row] = []
        rest: list[Row] = []
        for result in score(_noted(islice(left, size), last)):
            scored += score_rows(result)
            rest += left_out_rows(result)
            count(progress, result)
            yield result
        more = len(last) == size
        if last or not progress.parts:
            number = f"{progress.parts:05d}.{ending}"
            out.write(f"scores-{number}", encode(SCORES, scored))
            if rest:
                out.write(f"left-out-{number}", encode(LEFT_OUT, rest))
            progress.parts += 1
            progress.files += len(last)
            progress.after = list(last[-1]) if last else None
        progress.done = not more
        _keep(out, progress)


def _keep(out: Store, progress: Progress) -> None:
    # Names that are not UTF-8 are stored as escapes of surrogates, which JSON's ASCII form can hold.
    out.write(PROGRESS, json.dumps({"format": FORMAT, **asdict(progress)}, indent=1).encode())


def _noted(entries: Iterable[Entry], paths: list[Parts]) -> Iterator[Entry]:
    for entry in entries:
        paths.append(entry.parts)
        yield entry


def count(progress: Progress, result: FileResult) -> None:
    """Add a file to the counts of verdicts and reasons."""
    reasons = Counter(row[2] for row in left_out_rows(result))
    progress.verdicts = dict(sorted((Counter(progress.verdicts) + Counter([result.verdict])).items()))
    progress.reasons = dict(sorted((Counter(progress.reasons) + reasons).items()))


def score_rows(result: FileResult) -> list[Row]:
    """Return the rows of a file's scored frames, with the columns `SCORES`."""
    return [
        (
            result.name,
            frame,
            found.score,
            found.verdict,
            *(round(length, 1) for length in found.box),
            found.turned,
            result.score,
            result.verdict,
        )
        for frame, found in result.frames
        if isinstance(found, Scored)
    ]


def left_out_rows(result: FileResult) -> list[Row]:
    """Return the rows of what was not scored of a file, with the columns `LEFT_OUT`.

    The row of a file as a whole has no frame.
    """
    rows: list[Row] = [
        (result.name, frame, found.reason, found.words)
        for frame, found in result.frames
        if not isinstance(found, Scored)
    ]
    if result.refused and result.kind != "picture":  # the row of the picture's only frame says it already
        rows.append((result.name, None, result.refused.reason, result.refused.words))
    return rows


def encode_csv(columns: Mapping[str, str], rows: Sequence[Row]) -> bytes:
    """Return a table as CSV in UTF-8, with a row of names. An empty cell stands for None."""
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(columns)
    for row in rows:
        # csv.writer leaves a lone carriage return in a name without quotes, and readers end the row there.
        returns = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if returns else plain).writerow(row)
    return text.getvalue().encode()
