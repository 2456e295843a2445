"""`rfmeta synth`: generated domains, straight into shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rfmeta_dist.cli.lists import names
from rfmeta_dist.cli.terminal import Address, Json, console, print_json, progress, say
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

    from rfmeta_dist.synth.domains.domain import Domain
    from rfmeta_dist.synth.domains.scale import Scale
    from rfmeta_dist.synth.filming.recording import Video
    from rfmeta_dist.synth.person.portraits import Survey

EXAMPLES = """
[bold]Examples[/]

  rfmeta synth --out runs/data --scale demo

  rfmeta synth --out s3://bucket/faces --scale full --rho 0.9 --identities portraits/ --address auto

  rfmeta synth --out runs/data --card mine.yaml --domains O,C,MINE   [dim]# `rfmeta example M` prints a card[/]

  rfmeta synth --out runs/data --drawn 16             [dim]# 16 domains drawn at random[/]

  rfmeta synth --sheet sheet.png --scale full        [dim]# only a contact sheet, no shards[/]

  rfmeta synth videos raw/ --scale tiny              [dim]# video clips, to try ingest with[/]

  rfmeta synth probe runs/data                       [dim]# test the shards for cues that leak the label[/]

If the command is interrupted, give it again: it continues, and what was done is kept.
"""
LINES = 10  # a log without a terminal gets this many lines a domain

app = typer.Typer()

Seed = Annotated[int, typer.Option(min=0, help="Seed; with the other options it decides every pixel.")]
Rho = Annotated[
    float, typer.Option(help="How strongly spurious cues follow the label: from 0, not at all, to 1, always.")
]
Domains = Annotated[str | None, typer.Option(help="Domains to use, separated by commas; all if not given.")]
Cards = Annotated[
    list[Path] | None, typer.Option("--card", help="A domain of your own, as a YAML file; may be repeated.")
]
Drawn = Annotated[
    int | None,
    typer.Option(
        min=1, help="Number of domains to draw at random (D01, D02, …), from the ranges that real cameras span."
    ),
]
Identities = Annotated[
    Path | None, typer.Option(help="A folder of portraits; our own procedural heads if not given.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of processes; one for each CPU if not given.")]


class Planned(NamedTuple):
    """A domain to generate: its recordings, and what decides their bytes."""

    videos: list[Video]
    contract: dict[str, Any]


@app.callback(invoke_without_command=True)
def synth(
    context: typer.Context,
    out: Annotated[str | None, typer.Option(help="Where to write the shards: a folder or s3://….")] = None,
    scale: Annotated[
        str, typer.Option(help="How much data to generate: tiny, demo (64×64 pixels) or full (256×256).")
    ] = "demo",
    seed: Seed = 0,
    rho: Rho = 0.5,
    domains: Domains = None,
    cards: Cards = None,
    drawn: Drawn = None,
    identities: Identities = None,
    workers: Workers = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file to write a contact sheet to.")] = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Generate domains of live, printed and replayed faces, each with its own cameras and light."""
    if context.invoked_subcommand:
        return
    if out is None and sheet is None:
        raise ConfigError("neither --out nor --sheet is given", "give --out PREFIX, --sheet FILE, or both")
    known, names = choose_domains(domains, cards, drawn, seed)
    plans = plan_domains(names, scale, seed, identities, rho, known)  # before Ray's slow import
    if sheet is not None:
        _write_sheet(sheet, plans)
    if out is None:
        return

    from rfmeta_dist.cluster.session import session

    with session(workers, address):
        counts = generate_domains(out, plans, workers, quiet=json)
    if json:
        print_json({"prefix": out, "domains": counts})


def choose_domains(
    domains: str | None, cards: list[Path] | None, count: int | None = None, seed: int = 0
) -> tuple[Mapping[str, Domain], list[str]]:
    """All domains there are, and the names of those asked for.

    Args:
        domains: names, separated by commas; None for the drawn ones, or for all if none are drawn.
        cards: of the user's own domains.
        count: domains to draw.
        seed: of the draw.

    Raises:
        ConfigError: a card cannot be used, or so many domains cannot be drawn.
    """
    from rfmeta_dist.synth.domains.card import join
    from rfmeta_dist.synth.domains.drawn import drawn

    known, more = join(cards or []), {} if count is None else drawn(count, seed)
    if taken := sorted(known.keys() & more.keys()):
        raise ConfigError(f"a card and a drawn domain are both called {taken[0]}", "give the card another name")
    return {**known, **more}, names(domains) or list(more or known)


def plan_domains(
    names: list[str],
    scale: str,
    seed: int,
    identities: Path | None,
    rho: float,
    domains: Mapping[str, Domain],
) -> dict[str, Planned]:
    """What is to be generated, by domain; every mistake of the user shows here.

    Raises:
        ConfigError: no such scale or domain, or rho is out of range.
        DataError: the portraits are missing, unusable or too few.
    """
    from rfmeta_dist.synth.output.generate import contract, plan

    chosen, people = _scale(scale), None if identities is None else _survey(identities)
    plans = {name: plan(name, chosen, seed, people, rho, domains) for name in names}
    return {name: Planned(videos, contract(chosen, videos)) for name, videos in plans.items()}


def _survey(folder: Path) -> Survey:
    """Who is in a folder of portraits; with the face mesh, each gets a relief of their own."""
    from rfmeta_dist.ingest.face import CONFIDENT, Faces
    from rfmeta_dist.synth.person.portraits import survey

    try:
        faces = Faces()
    except ConfigError:
        say(
            "the face models are not installed, so every portrait gets the relief of the mean face; "
            "`rfmeta faces install` installs them"
        )
        return survey(folder.resolve())

    def landmarks(rgb: Any) -> Any:
        found = faces.detect(rgb)
        points, score = faces.landmarks(rgb, found[0]) if len(found) == 1 else (None, 0.0)
        return points if score > CONFIDENT else None

    return survey(folder.resolve(), landmarks)


def generate_domains(
    out: str, plans: Mapping[str, Planned], workers: int | None, *, quiet: bool
) -> dict[str, Any]:
    """Generate and publish domains, with progress, in a Ray session; samples by domain, split and class."""
    from rfmeta_dist.cluster.synth import synthesise
    from rfmeta_dist.storage.store import open_store

    counts: dict[str, Any] = {}
    with progress(quiet, rate_column()) as bars:
        for name, planned in plans.items():
            shown = Shown(bars, name, quiet)
            manifest = synthesise(out, planned.videos, planned.contract, workers, shown.update)
            counts[name] = manifest.counts
            if not quiet:
                where, total = open_store(out).url, sum(shard.samples for shard in manifest.shards)
                say(f"{name}: {total} samples, manifest {manifest.fingerprint[:12]}, at {where}/{name}")
    return counts


class Shown:
    """The progress of one domain: a bar on a terminal, a few lines elsewhere."""

    def __init__(self, bars: Progress, name: str, quiet: bool) -> None:
        self._bars, self._task = bars, bars.add_task(f"synth {name}", total=None)
        self._name, self._lines = name, not (quiet or console.is_terminal)
        self._said = 0

    def update(self, done: int, total: int) -> None:
        """So many frames of all are done."""
        self._bars.update(self._task, completed=done, total=total)
        tenth = LINES * done // total
        if self._lines and tenth > self._said:
            self._said = tenth
            task = next(task for task in self._bars.tasks if task.id == self._task)
            left = f", {task.time_remaining / 60:.1f} minutes left" if task.time_remaining else ""
            say(f"synth {self._name}  {done}/{total} frames  {_rate(task)}{left}")


def _rate(task: Task) -> str:
    return f"{task.speed:.1f} frames/s" if task.speed else ""


def rate_column() -> Any:
    """A column of the progress display: frames a second."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Frames a second, lately."""

        def render(self, task: Task) -> Text:
            return Text(_rate(task))

    return Rate()


def _scale(name: str) -> Scale:
    from rfmeta_dist.synth.domains.scale import SCALES

    if name not in SCALES:
        raise ConfigError(f"there is no scale {name!r}", f"use {', '.join(SCALES)}")
    return SCALES[name]


def _write_sheet(path: Path, plans: Mapping[str, Planned]) -> None:
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.output.sheet import contact_sheet

    picture = contact_sheet({name: planned.videos for name, planned in plans.items()})
    open_store(str(path.parent)).write(path.name, picture)
    say(f"contact sheet at {path}")
