"""`rfmeta score`: find the faces in pictures and videos, score them with a deployed model, give verdicts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rfmeta_dist.cli.scored import (
    DeploymentPackage,
    PackagePoint,
    Printer,
    Progressing,
    open_scorer,
    resumable,
    say_end,
    say_rule,
)
from rfmeta_dist.cli.terminal import Json, say
from rfmeta_dist.core.errors import ConfigError, DataError, InstallationError, PictureError
from rfmeta_dist.core.types import UNITS

if TYPE_CHECKING:
    from rfmeta_dist.deploy.files import Entry
    from rfmeta_dist.deploy.parts import Encode, Progress
    from rfmeta_dist.deploy.scorer import Scorer
    from rfmeta_dist.deploy.sweep import Order
    from rfmeta_dist.ingest.video import FrameRule
    from rfmeta_dist.storage.store import Store

EXAMPLES = """
[bold]Examples[/]

  rfmeta score deployed/ photo.jpg

  rfmeta score deployed/ photos/ --out scores/ --threads 4     [dim]# give it again to continue[/]

  rfmeta score deployed/ clip.mp4 --operating-point bpcer@apcer1 --save drawn/

  cat photo.jpg | rfmeta score deployed/ - --json

A picture without a face, with several, or with one that is too small, dark or blurred is refused: it counts
neither as live nor as attack. The exit code is 0 whatever the verdicts are.
"""
STDIN = "-"
UNREAD = {"no_picture", "unreadable", "no_file", "gone", "link", "needs_video"}  # reasons of whole files
LARGEST = 1 << 30  # bytes that are read from stdin at most


def score(
    package: DeploymentPackage,
    source: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE|VIDEO|FOLDER|-",
            help="What to score; - reads one picture or video from stdin.",
            show_default=False,
        ),
    ],
    operating_point: PackagePoint = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to take from each video, evenly spaced.")] = 10,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Take every n-th frame of each video. --frames then has no effect.", show_default=False
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Files of a folder to score at once; threads of the model for one file.")
    ] = 1,
    upright: Annotated[
        bool,
        typer.Option(
            "--upright",
            help="Say that all pictures are upright. Lying faces are then refused. Otherwise a picture with a "
            "doubtful face is also searched in the other three orientations, which takes four times as long.",
        ),
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the scores of a folder's files to numbered tables in this folder, a path or s3://…. "
            "If the command is interrupted, give it again: it continues.",
        ),
    ] = None,
    form: Annotated[
        Literal["csv", "parquet"],
        typer.Option("--format", help="Format of the tables; parquet needs the extra report."),
    ] = "csv",
    part: Annotated[int, typer.Option(min=1, help="Files whose scores go to one table.")] = 1000,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each picture with its box, score and verdict drawn to it."),
    ] = None,
    json: Json = False,
) -> None:
    """Score faces in pictures and videos with a deployed model, without torch or Ray.

    With --json, each frame, video and unreadable file gives one line.
    """
    from rfmeta_dist.deploy.sweep import Order
    from rfmeta_dist.ingest.video import Every, Spread

    is_folder = _checked(source, out, save)
    if form == "parquet":
        import pyarrow  # noqa: F401  so that a missing package is reported before anything is scored
    scorer = open_scorer(package, 1 if is_folder else threads, operating_point, upright=upright)
    rule = Every(every) if every else Spread(frames)
    order = Order(rule, threads, _saver(save))
    if scorer.note:
        say(scorer.note)
    if not is_folder:
        _one(scorer, source, order, Printer(json, whole=True))
        return
    if not json:
        say_rule(scorer, "frame", "video")
    if out is None:
        from rfmeta_dist.deploy.files import walk

        _all(scorer, source, walk(source), order, Printer(json))
    else:
        _parts(scorer, source, order, _asked(scorer, source, rule, form, part), out, json)


def _checked(source: str, out: str | None, save: Path | None) -> bool:
    """Return True if the source is a folder, after checking that it exists and what is written lies outside."""
    from rfmeta_dist.core.places import absolute

    path = Path(source)
    is_folder = source != STDIN and path.is_dir()
    if source != STDIN and not path.exists():
        raise ConfigError(f"there is no file or folder at {source}", "check the spelling of the path")
    if out is not None and not is_folder:
        raise ConfigError(
            f"--out is for the scores of a folder, but {source} is one file",
            "leave --out out; --json prints the scores for other programs",
        )
    for name, target in (("--out", out), ("--save", save)):
        if is_folder and target is not None and "://" not in str(target):
            inner, outer = absolute(target), absolute(path)
            if inner == outer or outer in inner.parents:
                raise ConfigError(
                    f"{name} {target} lies in the folder that is scored, so its files would be scored too",
                    f"give a folder outside of {source} with {name}",
                )
    return is_folder


def _saver(save: Path | None) -> Callable[..., None] | None:
    if save is None:
        return None
    from rfmeta_dist.deploy.overlay import save as write

    return lambda name, frame, result: write(save, name, frame, result)


def _one(scorer: Scorer, source: str, order: Order, printer: Printer) -> None:
    """Score one file. One that cannot be read is an error."""
    from rfmeta_dist.deploy.files import shown
    from rfmeta_dist.deploy.sweep import score_bytes, score_file

    if source == STDIN:
        data = sys.stdin.buffer.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise PictureError(
                f"more than {LARGEST >> 20} MiB came through stdin, which is too large",
                "give the path of a file",
            )
        found = score_bytes(scorer, data, "stdin", order)
    else:
        found = score_file(scorer, source, shown(Path(source).name), order)
    if found.kind is None and found.refused:
        if found.refused.reason == "needs_video":
            raise InstallationError(
                f"{source} is a video, and the package av, which reads videos, is not installed",
                "install it with: pip install 'rfmeta_dist[video]'",
            )
        raise PictureError(
            f"{'stdin' if source == STDIN else source} cannot be scored: {found.refused.words.rstrip('.')}",
            "give a JPEG, PNG, BMP or WebP picture, a video, or a folder with such files",
        )
    printer.show(found)
    if not printer.json:
        say_rule(scorer, *(UNITS if found.kind == "video" else UNITS[:1]))


def _all(scorer: Scorer, source: str, entries: Iterable[Entry], order: Order, printer: Printer) -> None:
    """Score the files of a folder and print each result."""
    from rfmeta_dist.deploy.files import walk
    from rfmeta_dist.deploy.parts import Progress, count
    from rfmeta_dist.deploy.sweep import sweep

    tally = Progress({})
    with Progressing(lambda: sum(1 for _ in walk(source)), 0, printer.json) as progress:
        for found in sweep(scorer, source, entries, order):
            printer.show(found)
            count(tally, found)
            progress.add()
    _require_some(tally, source)
    if not printer.json:
        say_end(tally)


def _parts(scorer: Scorer, source: str, order: Order, asked: dict[str, object], out: str, json: bool) -> None:
    """Score the files of a folder that have no scores yet, and write them to numbered tables."""
    from rfmeta_dist.deploy import parts
    from rfmeta_dist.deploy.files import walk
    from rfmeta_dist.deploy.sweep import sweep
    from rfmeta_dist.storage.store import open_store

    store: Store = open_store(out)
    state, printer = parts.begun(store, asked), Printer(json)
    if not state.done:
        entries = walk(source, tuple(state.after) if state.after else None)
        encode, ending = _encoder(str(asked["format"]))
        if state.files and not json:
            say(f"continuing after {state.files:,} files")
        with (
            resumable(state),
            Progressing(lambda: sum(1 for _ in walk(source)), state.files, json) as progress,
        ):
            for found in parts.write(
                store,
                state,
                entries,
                lambda some: sweep(scorer, source, some, order),
                int(str(asked["files in a part"])),
                encode,
                ending,
            ):
                if json:
                    printer.show(found)
                progress.add()
    elif not json:
        say("all files were scored before")
    _require_some(state, source)
    if not json:
        say_end(state)
        say(f"the scores are in {store.url}")


def _encoder(form: str) -> tuple[Encode, str]:
    if form == "csv":
        from rfmeta_dist.deploy.parts import encode_csv

        return encode_csv, form
    from rfmeta_dist.core.parquet import encode_parquet

    return encode_parquet, form


def _asked(scorer: Scorer, source: str, rule: FrameRule, form: str, part: int) -> dict[str, object]:
    """Return all that the tables depend on besides the files."""
    from rfmeta_dist.core.places import absolute

    return {
        "folder": str(absolute(source)),
        "package": scorer.package.sha256,
        "operating point": scorer.decision("frame").operating_point,
        "threshold per frame": scorer.decision("frame").threshold,
        "threshold per video": scorer.decision("video").threshold,
        "frames": str(rule),
        "upright": scorer.upright,
        "format": form,
        "files in a part": part,
    }


def _require_some(tally: Progress, source: str) -> None:
    """Raise an error if no file could be read, because the user may have given another folder than meant."""
    if set(tally.verdicts) <= {"refused"} and set(tally.reasons) <= UNREAD:
        found = ", ".join(f"{number:,} {reason}" for reason, number in tally.reasons.items())
        raise DataError(
            f"no picture or video below {source} could be read ({found or 'there are no files'})",
            "give a folder with JPEG, PNG, BMP or WebP pictures, or videos",
        )
