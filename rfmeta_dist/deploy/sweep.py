"""Score one file, or all files below a folder. One that cannot be scored gets a reason; the rest goes on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from rfmeta_dist.core.errors import PictureError
from rfmeta_dist.deploy.files import MAX_BYTES, Entry, failed, head_of, kind, opened
from rfmeta_dist.deploy.results import REASONS, Decision, Refused, Result, Scored, VideoResult
from rfmeta_dist.ingest.video import Every

if TYPE_CHECKING:
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.ingest.video import Frame, FrameRule

    Shown = Callable[[str, Frame, Result], None]

_AHEAD = 4  # files per thread that are scored before the first of them is handed on
_IT = "The file"  # what errors about a file call it; its name stands beside them


@dataclass(frozen=True)
class FileResult:
    """What scoring a file gave.

    Attributes:
        name: its path as text, as `files.shown` writes it.
        kind: `picture` or `video`; None if the file could not be read.
        frames: number of each frame and its result; a picture has frame 0.
        score: the picture's score, or the mean of the video's; None if it was refused.
        verdict: of the file as a whole.
        decision: the threshold that `score` was compared with; None if the file could not be read.
        refused: why the file as a whole has no score; None if it has one.
    """

    name: str
    kind: Literal["picture", "video"] | None
    frames: tuple[tuple[int, Result], ...]
    score: float | None
    verdict: Literal["live", "attack", "refused"]
    decision: Decision | None
    refused: Refused | None = None


@dataclass(frozen=True)
class Order:
    """How the files of a folder are to be scored.

    Attributes:
        frames: which frames to take from videos.
        threads: number of files that are scored at the same time.
        shown: called for each frame with the file's name (for the frame of a video, with its number behind a
            slash), the frame and its result, from several threads; None if nothing is to be shown. See
            `Scorer.score_video`.
    """

    frames: FrameRule
    threads: int = 1
    shown: Shown | None = None


def score_file(scorer: Scorer, path: str, name: str, order: Order) -> FileResult:
    """Score a picture or video, whichever it is by its content.

    Args:
        scorer: the model.
        path: of the file.
        name: what the file is called in the result.
        order: which frames to take, and what to show.

    Raises:
        ScoreError: the model gave a score that is not a number.
    """
    with opened(path) as file:
        if isinstance(file, Refused):
            return _unread(name, file)
        try:
            return _scored(scorer, file, Path(path), name, order)
        except OSError as error:
            return _unread(name, failed(error))


def score_bytes(scorer: Scorer, data: bytes, name: str, order: Order) -> FileResult:
    """Score the content of a picture or video; see `score_file`."""
    what = kind(data)
    return _unread(name, what) if isinstance(what, Refused) else _judged(scorer, data, what, name, order)


def sweep(scorer: Scorer, folder: str, entries: Iterable[Entry], order: Order) -> Iterator[FileResult]:
    """Score the files of a folder and yield their results, in the order of the entries.

    Args:
        scorer: the model.
        folder: the folder that was walked over.
        entries: its files, from `files.walk`. No more are taken than are being scored.
        order: how to score.

    Raises:
        ScoreError: the model gave a score that is not a number.
    """

    def scored(entry: Entry) -> FileResult:
        if entry.problem:
            return _unread(entry.name, entry.problem)
        return score_file(scorer, os.path.join(folder, *entry.parts), entry.name, order)

    if order.threads == 1:
        yield from map(scored, entries)
        return
    left = iter(entries)
    with ThreadPoolExecutor(order.threads) as pool:
        begun: deque[Future[FileResult]] = deque()
        try:
            begun.extend(pool.submit(scored, entry) for entry in islice(left, _AHEAD * order.threads))
            while begun:
                yield begun.popleft().result()
                begun.extend(pool.submit(scored, entry) for entry in islice(left, 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _scored(scorer: Scorer, file: BinaryIO, path: Path, name: str, order: Order) -> FileResult:
    what = kind(head_of(file))
    if isinstance(what, Refused):
        return _unread(name, what)
    if what == "video":
        return _judged(scorer, path, what, name, order)
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        words = f"The file has more than {MAX_BYTES >> 20} MiB, which is too large for a picture."
        return _unread(name, Refused("unreadable", words))
    return _judged(scorer, file.read(MAX_BYTES), what, name, order)


def _judged(
    scorer: Scorer, source: bytes | Path, what: Literal["picture", "video"], name: str, order: Order
) -> FileResult:
    frames = order.frames if what == "video" else Every(1)
    if what == "video" and not _reads_videos():
        return _unread(name, Refused("needs_video", REASONS["needs_video"]))

    def shown(frame: Frame, result: Result) -> None:
        if order.shown:
            order.shown(f"{name}/{frame.number:05d}" if what == "video" else name, frame, result)

    try:
        found = scorer.score_video(source, frames, shown if order.shown else None, _IT)
    except PictureError as error:
        return _unread(name, Refused("unreadable", f"{error.problem}."))
    return _of_picture(name, found.frames[0][1], scorer) if what == "picture" else _of_video(name, found)


def _reads_videos() -> bool:
    try:
        import av  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def _of_picture(name: str, result: Result, scorer: Scorer) -> FileResult:
    frames, decision = ((0, result),), scorer.decision("frame")
    if isinstance(result, Scored):
        return FileResult(name, "picture", frames, result.score, result.verdict, decision)
    return FileResult(name, "picture", frames, None, "refused", decision, result)


def _of_video(name: str, found: VideoResult) -> FileResult:
    refused = Refused("too_few_frames", found.words) if found.score is None else None
    return FileResult(name, "video", found.frames, found.score, found.verdict, found.decision, refused)


def _unread(name: str, refused: Refused) -> FileResult:
    return FileResult(name, None, (), None, "refused", None, refused)
