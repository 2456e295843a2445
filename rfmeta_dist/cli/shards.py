"""`rfmeta shards`: what a prefix holds, and whether it is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say
from rfmeta_dist.core.errors import DataError

if TYPE_CHECKING:
    from rfmeta_dist.data.manifest import Manifest
    from rfmeta_dist.storage.store import Store

app = typer.Typer(help="Look at shards and check them.", no_args_is_help=True, rich_markup_mode="rich")

Prefix = Annotated[str, typer.Argument(help="A folder or s3://… that holds domains.", show_default=False)]
Domain = Annotated[str | None, typer.Option("--domain", "-d", help="One domain; all if not given.")]


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards ls s3://bucket/faces")
def ls(prefix: Prefix, domain: Domain = None, json: Json = False) -> None:
    """List the shards."""
    _, manifests = _open(prefix, domain)
    if json:
        print_json({m.domain: [asdict(shard) for shard in m.shards] for m in manifests})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("domain", "shard", "samples", "MB", "sha256")
    for m in manifests:
        for shard in m.shards:
            size = f"{shard.size / 1e6:.1f}"
            table.add_row(m.domain, shard.name, str(shard.samples), size, shard.sha256[:12])
    Console().print(table)


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards stats s3://bucket/faces --domain O")
def stats(prefix: Prefix, domain: Domain = None, json: Json = False) -> None:
    """Count samples, subjects and videos by split, class and attack type."""
    from rfmeta_dist.data.stats import stats as count

    _, manifests = _open(prefix, domain)
    if json:
        print_json({m.domain: [asdict(row) for row in count(m)] for m in manifests})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("domain", "split", "class", "attack type", "samples", "subjects", "videos")
    for m in manifests:
        for row in count(m):
            kind = "live" if row.label else "attack"
            numbers = (str(n) for n in (row.samples, row.subjects, row.videos))
            table.add_row(m.domain, row.split, kind, row.attack_type, *numbers)
        table.add_section()
    Console().print(table)


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards verify s3://bucket/faces")
def verify(prefix: Prefix, domain: Domain = None, json: Json = False) -> None:
    """Hash and decode every sample again; name what is wrong."""
    from rfmeta_dist.data.verify import verify as find

    store, names = _domains(prefix, domain)
    found = {name: find(store, name) for name in names}
    if json:
        print_json({name: [asdict(finding) for finding in findings] for name, findings in found.items()})
    for name, findings in found.items():
        say(f"domain {name}: {'whole' if not findings else f'{len(findings)} finding(s)'}")
        for finding in findings:
            say(f"  {finding.where}: {finding.problem}")
    if any(found.values()):
        bad = ", ".join(name for name, findings in found.items() if findings)
        raise DataError(f"shards under {store.url} are not as their manifests say ({bad})", "ingest them again")


def _domains(prefix: str, domain: str | None) -> tuple[Store, list[str]]:
    from rfmeta_dist.data.manifest import domains
    from rfmeta_dist.storage.store import open_store

    store = open_store(prefix)
    names = [domain] if domain else domains(store)
    if not names:
        raise DataError(f"no domains under {store.url}", "check the prefix, or make some with `rfmeta synth`")
    return store, names


def _open(prefix: str, domain: str | None) -> tuple[Store, list[Manifest]]:
    from rfmeta_dist.data.manifest import Manifest

    store, names = _domains(prefix, domain)
    return store, [Manifest.open(store, name) for name in names]
