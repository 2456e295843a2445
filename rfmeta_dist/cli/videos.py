"""`rfmeta synth videos`: write generated domains as video clips, named like the data sets that they imitate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.synth import (
    Cards,
    Domains,
    Identities,
    Planned,
    Rho,
    Seed,
    Shown,
    Workers,
    choose_domains,
    plan_domains,
    rate_column,
)
from rfmeta_dist.cli.terminal import Address, Json, print_json, progress, say
from rfmeta_dist.core.places import absolute

if TYPE_CHECKING:
    from rfmeta_dist.synth.output.clip import Clip

EXAMPLES = """
[bold]Examples[/]

  rfmeta synth videos raw/ --scale tiny --seconds 1

  rfmeta ingest oulu_npu raw/O --out s3://bucket/faces --accept-counts

If the command is interrupted, give it again: it continues, and finished clips are kept.
"""


def videos(
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to; each domain gets a folder in it.", show_default=False)
    ],
    scale: Annotated[str, typer.Option(help="How much data to generate: tiny, small, demo or full.")] = "tiny",
    seconds: Annotated[
        float, typer.Option(min=0.04, max=60, help="Length of each clip in seconds, at 25 frames a second.")
    ] = 4.0,
    seed: Seed = 0,
    rho: Rho = 0.5,
    domains: Domains = None,
    cards: Cards = None,
    identities: Identities = None,
    workers: Workers = None,
    address: Address = None,
    json: Json = False,
) -> None:
    """Write generated domains as H.264 clips, with the folders, annotations and lists of real data sets."""
    known, names = choose_domains(domains, cards)
    plans = plan_domains(names, scale, seed, identities, rho, known)

    from rfmeta_dist.cluster.clips import clips_of, film_clips
    from rfmeta_dist.cluster.session import session

    root = absolute(folder)
    clips = {name: clips_of(planned.videos, seconds) for name, planned in plans.items()}
    with session(workers, address), progress(json, rate_column()) as bars:
        for name, own in clips.items():
            contract = plans[name].contract | {"seconds": seconds}
            film_clips(root / name, own, contract, workers, Shown(bars, name, json).update)
    if json:
        print_json({name: {"folder": str(root / name), "clips": len(own)} for name, own in clips.items()})
        return
    for name, own in clips.items():
        say(f"{name}: {len(own)} clips at {root / name}; next: {_next(root, plans[name], own)}")


def _next(root: Path, planned: Planned, clips: list[Clip]) -> str:
    """Return the `rfmeta ingest` command for the clips of a domain."""
    from rfmeta_dist.ingest.layouts import LAYOUTS

    card = planned.videos[0].card
    expected = LAYOUTS[card.layout].expected
    # Ingest refuses another number of recordings than the published one, unless it is told to accept it.
    part = "" if expected is None or sum(expected.values()) == len(clips) else " --accept-counts"
    named = "" if card.name == LAYOUTS[card.layout].domain else f" --domain {card.name}"
    return f"rfmeta ingest {card.layout} {root / card.name} --out PREFIX{named}{part}"
