"""`rfmeta synth`: generate face domains and write them as shards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rfmeta_dist.cli.batches import Into, Name, Supplier, asked, say_added
from rfmeta_dist.cli.lists import names
from rfmeta_dist.cli.terminal import Address, Json, interactive, print_json, progress, say, time_left
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

    from rfmeta_dist.data.shards.batches import Batch
    from rfmeta_dist.synth.domains.domain import Domain
    from rfmeta_dist.synth.domains.scale import Scale
    from rfmeta_dist.synth.filming.recording import Video
    from rfmeta_dist.synth.person.portraits import Survey

EXAMPLES = """
[bold]Examples[/]

  rfmeta synth --out runs/data --scale small

  rfmeta synth --out s3://bucket/faces --scale full --rho 0.9 --identities portraits/ --address auto

  rfmeta synth --out runs/data --card mine.yaml --domains O,C,MINE   [dim]# `rfmeta example M` prints a card[/]

  rfmeta synth --out runs/data --drawn 16             [dim]# 16 domains drawn at random[/]

  rfmeta synth --out runs/data --card new.yaml --domains NEW --into O --batch may --supplier me

  rfmeta synth --sheet sheet.png --scale full        [dim]# only a contact sheet, no shards[/]

  rfmeta synth videos raw/ --scale tiny              [dim]# video clips, to try ingest with[/]

  rfmeta synth probe runs/data                       [dim]# test the shards for cues that leak the label[/]

If the command is interrupted, give it again: it continues, and finished recordings are kept.
"""
LINES = 10  # lines of progress for each domain if the output is not a terminal

app = typer.Typer()

Seed = Annotated[
    int, typer.Option(min=0, help="Random seed; the same seed and options generate the same faces again.")
]
Rho = Annotated[
    float, typer.Option(help="How strongly spurious cues follow the label: from 0, not at all, to 1, always.")
]
Domains = Annotated[str | None, typer.Option(help="Domains to use, separated by commas; all if not given.")]
Cards = Annotated[
    list[Path] | None,
    typer.Option("--card", help="YAML file that describes a domain of your own; may be repeated."),
]
Drawn = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Number of random domains to generate (D01, D02, …), with cameras and light in realistic ranges.",
    ),
]
Identities = Annotated[
    Path | None, typer.Option(help="Folder of portraits to use as people; if not given, heads are generated.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of processes; one for each CPU if not given.")]


class Planned(NamedTuple):
    """The plan of a domain: its recordings, and the contract, which holds all settings that they depend on."""

    videos: list[Video]
    contract: dict[str, Any]


@app.callback(invoke_without_command=True)
def synth(
    context: typer.Context,
    out: Annotated[str | None, typer.Option(help="Where to write the shards: a folder or s3://….")] = None,
    scale: Annotated[
        str,
        typer.Option(
            help="How much data to generate: tiny, small or study (64×64 pixels), demo (80×80) or full "
            "(256×256)."
        ),
    ] = "small",
    seed: Seed = 0,
    rho: Rho = 0.5,
    domains: Domains = None,
    cards: Cards = None,
    drawn: Drawn = None,
    identities: Identities = None,
    into: Into = None,
    batch: Name = None,
    supplier: Supplier = None,
    workers: Workers = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG file to write a contact sheet to.")] = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Generate domains of live, printed and replayed faces, each with its own cameras and light."""
    if context.invoked_subcommand:
        return
    if out is None and sheet is None:
        raise ConfigError(
            "neither --out nor --sheet is given, so there is nothing to write",
            "give --out PREFIX, --sheet FILE, or both",
        )
    part = asked(into, batch, supplier)
    known, names = choose_domains(domains, cards, drawn, seed)
    if part and len(names) != 1:
        raise ConfigError(
            f"--into {into} takes the faces of one domain, but {len(names)} are to be generated",
            "choose one with --domains NAME",
        )
    plans = plan_domains(names, scale, seed, identities, rho, known)  # before Ray is imported
    if sheet is not None:
        _write_sheet(sheet, plans)
    if out is None:
        return

    from rfmeta_dist.cluster.session import session

    with session(workers, address):
        target = (into, part) if into and part else None
        counts = generate_domains(out, plans, workers, quiet=json, into=target)
    if json:
        print_json({"prefix": out, "domains": counts})


def choose_domains(
    domains: str | None, cards: list[Path] | None, count: int | None = None, seed: int = 0
) -> tuple[Mapping[str, Domain], list[str]]:
    """Return all known domains by name, and the names of those to generate.

    Args:
        domains: names, separated by commas. None selects the drawn domains, or all domains if none are drawn.
        cards: YAML files that describe the user's own domains.
        count: number of domains to draw at random; None for none.
        seed: seed of the random draw.

    Raises:
        ConfigError: a card cannot be used, its name is taken, or `count` is out of range.
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
    """Return the plan of each domain, and report mistakes in the options before anything is generated.

    Raises:
        ConfigError: the scale or a domain is unknown, or rho is out of range.
        DataError: the portraits are missing, unusable or too few.
    """
    from rfmeta_dist.synth.output.generate import contract, plan

    chosen, people = _scale(scale), None if identities is None else _survey(identities)
    plans = {name: plan(name, chosen, seed, people, rho, domains) for name in names}
    return {name: Planned(videos, contract(chosen, videos)) for name, videos in plans.items()}


def _survey(folder: Path) -> Survey:
    """Find the people in a folder of portraits, and the shape of each face if the face models are installed."""
    from rfmeta_dist.ingest.face import CONFIDENT, Faces
    from rfmeta_dist.synth.person.portraits import survey

    try:
        faces = Faces()
    except ConfigError:
        say(
            "the face models are not installed, so every portrait gets the 3-D shape of an average face; "
            "`rfmeta faces install` installs them"
        )
        return survey(folder.resolve())

    def landmarks(rgb: Any) -> Any:
        found = faces.detect(rgb)
        points, score = faces.landmarks(rgb, found[0]) if len(found) == 1 else (None, 0.0)
        return points if score > CONFIDENT else None

    return survey(folder.resolve(), landmarks)


def generate_domains(
    out: str,
    plans: Mapping[str, Planned],
    workers: int | None,
    *,
    quiet: bool,
    into: tuple[str, Batch] | None = None,
) -> dict[str, Any]:
    """Generate and publish domains, and show the progress. A Ray session must be open.

    Args:
        out: prefix to write to.
        plans: the plan of each domain.
        workers: number of processes; one for each CPU if None.
        quiet: True to print nothing.
        into: the domain that the only planned one joins, and as which batch; None to publish the planned ones.

    Returns:
        The number of samples by domain, split and class. With `into`, they are those of the domain joined.
    """
    from rfmeta_dist.cluster.synth import synthesise
    from rfmeta_dist.storage.store import open_store

    counts: dict[str, Any] = {}
    with progress(quiet, rate_column()) as bars:
        for name, planned in plans.items():
            shown = Shown(bars, name, quiet)
            manifest = synthesise(out, planned.videos, planned.contract, workers, shown.update, into)
            domain = manifest.domain
            counts[domain] = manifest.counts
            if not quiet:
                where, total = open_store(out).url, sum(shard.samples for shard in manifest.shards)
                say(f"{domain}: {total} samples, manifest {manifest.fingerprint[:12]}, at {where}/{domain}")
                if into:
                    say_added(manifest, into[1])
    return counts


class Shown:
    """Shows the progress of one domain: a bar on a terminal, and `LINES` lines elsewhere."""

    def __init__(self, bars: Progress, name: str, quiet: bool) -> None:
        self._bars, self._task = bars, bars.add_task(f"synth {name}", total=None)
        self._name, self._lines = name, not (quiet or interactive())
        self._said = 0

    def update(self, done: int, total: int) -> None:
        """Show that `done` of `total` frames are finished."""
        self._bars.update(self._task, completed=done, total=total)
        tenth = LINES * done // total
        if self._lines and tenth > self._said:
            self._said = tenth
            task = next(task for task in self._bars.tasks if task.id == self._task)
            left = time_left(self._bars, self._task)
            say(f"synth {self._name}  {done}/{total} frames  {_rate(task)}{left}")


def _rate(task: Task) -> str:
    return f"{task.speed:.1f} frames/s" if task.speed else ""


def rate_column() -> Any:
    """Return a column of the progress display that shows frames per second."""
    from rich.progress import ProgressColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Shows the recent speed of a task."""

        def render(self, task: Task) -> Text:
            return Text(_rate(task))

    return Rate()


def _scale(name: str) -> Scale:
    from rfmeta_dist.cli.scales import KNOWN

    if name not in KNOWN:
        raise ConfigError(f"there is no scale {name!r}", f"choose from {', '.join(KNOWN)}")
    return KNOWN[name]


def _write_sheet(path: Path, plans: Mapping[str, Planned]) -> None:
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.output.sheet import contact_sheet

    picture = contact_sheet({name: planned.videos for name, planned in plans.items()})
    open_store(str(path.parent)).write(path.name, picture)
    say(f"wrote the contact sheet {path}")
