"""`rfmeta synth`: generated domains, straight into shards."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.terminal import Json, print_json, progress, say
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rfmeta_dist.core.types import Sample

EXAMPLES = """
[bold]Examples[/]

  rfmeta synth --out runs/data --scale demo

  rfmeta synth --out s3://bucket/faces --scale full --identities portraits/ --workers 8

  rfmeta synth --sheet sheet.png --scale full        [dim]# only a picture of what would be made[/]
"""


def synth(
    out: Annotated[str | None, typer.Option(help="Prefix to write to: a folder or s3://….")] = None,
    scale: Annotated[str, typer.Option(help="How much: tiny, demo (64×64) or full (256×256).")] = "demo",
    seed: Annotated[int, typer.Option(min=0, help="Decides every pixel.")] = 0,
    domains: Annotated[str, typer.Option(help="Which domains, separated by commas.")] = "O,C,I,M",
    identities: Annotated[
        Path | None, typer.Option(help="A folder of portraits; our own procedural heads if not given.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; the cores if not given.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a contact sheet (PNG) here.")] = None,
    json: Json = False,
) -> None:
    """Generate face domains: live, printed and replayed, each with its own cameras and light."""
    if out is None and sheet is None:
        raise ConfigError("neither --out nor --sheet is given", "give --out PREFIX, --sheet FILE, or both")
    names = [name.strip() for name in domains.split(",")]
    if sheet is not None:
        _write_sheet(sheet, names, scale, seed, identities)
    if out is not None:
        counts = generate_domains(out, names, scale, seed, identities, workers, quiet=json)
        if json:
            print_json({"prefix": out, "domains": counts})


def generate_domains(
    out: str,
    names: list[str],
    scale: str,
    seed: int,
    identities: Path | None,
    workers: int | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Generate and pack domains, with progress; samples by domain, split and class."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from rfmeta_dist.ingest.pack import pack
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.generate import plan, render

    chosen = _scale(scale)
    store = open_store(out)
    plans = {name: plan(name, chosen, seed, identities) for name in names}
    contract = {
        "generator": "rfmeta synth",
        "scale": scale,
        "seed": seed,
        "identities": "portraits" if identities else "procedural",
    }
    counts: dict[str, Any] = {}
    # spawn: a forked child would share this process's threads and connections
    with (
        ProcessPoolExecutor(workers or os.cpu_count(), mp_context=get_context("spawn")) as pool,
        progress(quiet) as bars,
    ):
        for name, videos in plans.items():
            task = bars.add_task(f"synth {name}", total=len(videos))
            rendered = pool.map(render, videos, chunksize=2)
            samples = _counted(rendered, lambda task=task: bars.advance(task))
            manifest = pack(samples, store, name, contract=contract)
            counts[name] = manifest.counts
            if not quiet:
                total = sum(shard.samples for shard in manifest.shards)
                say(f"{name}: {total} samples, manifest {manifest.fingerprint[:12]}, at {store.url}/{name}")
    return counts


def _counted(rendered: Iterable[list[Sample]], advance: Any) -> Iterator[Sample]:
    def step(samples: list[Sample]) -> list[Sample]:
        advance()
        return samples

    return chain.from_iterable(map(step, rendered))


def _scale(name: str) -> Any:
    from rfmeta_dist.synth.scale import SCALES

    if name not in SCALES:
        raise ConfigError(f"there is no scale {name!r}", f"use {', '.join(SCALES)}")
    return SCALES[name]


def _write_sheet(path: Path, names: list[str], scale: str, seed: int, identities: Path | None) -> None:
    from rfmeta_dist.storage.store import open_store
    from rfmeta_dist.synth.sheet import contact_sheet

    picture = contact_sheet(names, _scale(scale), seed, identities)
    open_store(str(path.parent)).write(path.name, picture)
    say(f"contact sheet at {path}")
