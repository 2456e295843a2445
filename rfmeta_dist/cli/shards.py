"""`rfmeta shards`: list, check, compare and preview shards, delete leftovers, and erase people."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, ask, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.core.places import absolute

if TYPE_CHECKING:
    from rfmeta_dist.data.shards.manifest import Manifest
    from rfmeta_dist.storage.store import Store

app = typer.Typer(
    help="List, check and compare shards, and erase people from them.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Prefix = Annotated[str, typer.Argument(help="A folder or s3://… that holds domains.", show_default=False)]
Domain = Annotated[str | None, typer.Option("--domain", "-d", help="Domain to use; all if not given.")]

Side = Annotated[str, typer.Argument(help="A prefix, or the path of one manifest-….json.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
SHOWN = 8  # names printed of each kind of difference


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards ls s3://bucket/faces")
def ls(prefix: Prefix, domain: Domain = None, json: Json = False) -> None:
    """List the shards of a prefix, with their sizes and hashes."""
    _, manifests = _open(prefix, domain)
    if json:
        print_json({m.domain: [asdict(shard) for shard in m.shards] for m in manifests})
        return
    rows = (
        (m.domain, shard.name, str(shard.samples), f"{shard.size / 1e6:.1f}", shard.sha256[:12])
        for m in manifests
        for shard in m.shards
    )
    show_table(("domain", "shard", "samples", "MB", "sha256"), rows)


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards stats s3://bucket/faces --domain O")
def stats(
    prefix: Prefix,
    domain: Domain = None,
    subjects: Annotated[bool, typer.Option("--subjects", help="Print a row for each subject.")] = False,
    json: Json = False,
) -> None:
    """Count samples, subjects and videos by split, class and attack type."""
    from rfmeta_dist.data.upkeep.stats import stats as count

    _, manifests = _open(prefix, domain)
    if json:
        print_json({m.domain: [asdict(row) for row in count(m, by_subject=subjects)] for m in manifests})
        return
    who = "subject" if subjects else "subjects"
    rows: list[tuple[str, ...] | None] = []
    for m in manifests:
        for row in count(m, by_subject=subjects):
            kind = "live" if row.label else "attack"
            whom = row.subject or str(row.subjects)
            rows.append((m.domain, row.split, kind, row.attack_type, whom, str(row.samples), str(row.videos)))
        rows.append(None)
    show_table(("domain", "split", "class", "attack type", who, "samples", "videos"), rows)


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards verify s3://bucket/faces")
def verify(prefix: Prefix, domain: Domain = None, json: Json = False) -> None:
    """Check the hash of every sample and decode it. List errors, and leftovers of interrupted work."""
    from rfmeta_dist.data.upkeep.orphans import orphans
    from rfmeta_dist.data.upkeep.verify import verify as find

    store, names = _domains(prefix, domain)
    found = {name: find(store, name) for name in names}
    # Without an intact manifest, leftovers cannot be told from data, so only intact domains are searched.
    left = {name: [] if found[name] else orphans(store, name) for name in names}
    if json:
        print_json(
            {name: {"findings": [asdict(f) for f in found[name]], "orphans": left[name]} for name in names}
        )
    for name in names:
        say(f"domain {name}: {'no errors' if not found[name] else f'{len(found[name])} error(s)'}")
        for finding in found[name]:
            say(f"  {finding.where}: {finding.problem}")
        for orphan in left[name]:
            say(
                f"  {orphan}: left over from interrupted work, since no manifest names it; if no rfmeta ingest "
                "or synth is writing there now, delete it with `rfmeta shards clean`"
            )
    if any(found.values()):
        bad = ", ".join(name for name in names if found[name])
        raise DataError(
            f"shards under {store.url} are damaged or differ from their manifests, in domain(s) {bad}",
            "ingest or generate these domains again",
        )


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards clean s3://bucket/faces --domain O")
def clean(prefix: Prefix, domain: Domain = None, yes: Yes = False, json: Json = False) -> None:
    """Delete the objects that interrupted work left behind.

    These are objects that no manifest names and that are older than the newest manifest.
    """
    from rfmeta_dist.data.upkeep.orphans import clean as remove

    store, names = _domains(prefix, domain)
    _confirm(f"Delete leftovers under {store.url}? No rfmeta ingest or synth may be writing there now.", yes)
    removed = {name: remove(store, name) for name in names}
    if json:
        print_json(removed)
    for name, objects in removed.items():
        say(f"domain {name}: {len(objects)} object(s) deleted")
        for found in objects:
            say(f"  {found}")


@app.command(
    epilog="[bold]Examples[/]\n\n  rfmeta shards diff s3://bucket/old s3://bucket/new --domain O"
    "\n\n  rfmeta shards diff data/O/manifest-000001.json data/O/manifest-000002.json"
)
def diff(before: Side, after: Side, domain: Domain = None, json: Json = False) -> None:
    """Compare two states of a domain, or all domains of two prefixes: samples, shards and contract."""
    from rfmeta_dist.data.upkeep.diff import diff as compare

    old, new = _manifests(before, domain), _manifests(after, domain)
    found = {name: asdict(compare(old[name], new[name])) for name in sorted(old.keys() & new.keys())}
    alone = {name: before if name in old else after for name in sorted(old.keys() ^ new.keys())}
    if json:
        print_json({"both": found, "alone": alone})
        return
    for name, place in alone.items():
        say(f"domain {name}: only under {place}")
    for name, parts in found.items():
        differs = any(names for change in parts.values() for names in change.values())
        say(f"domain {name}: {'differs' if differs else 'the same'}")
        for part, change in parts.items():
            for kind, names in change.items():
                if names:
                    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                    say(f"  {part} {kind}: {len(names)} ({', '.join(names[:SHOWN])}{rest})")


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards preview s3://bucket/faces --domain O --out O.png")
def preview(
    prefix: Prefix,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG file to write.")] = Path("preview.png"),
    domain: Domain = None,
    count: Annotated[
        int, typer.Option(min=1, max=100, help="Samples to show of each attack type, and of live faces.")
    ] = 6,
    json: Json = False,
) -> None:
    """Write a PNG contact sheet: images beside their depth maps, the same number for each attack type."""
    from rfmeta_dist.data.upkeep.preview import contact_sheet
    from rfmeta_dist.storage.store import open_store

    store, manifests = _open(prefix, domain)
    path = absolute(out)
    open_store(str(path.parent)).write(path.name, contact_sheet(store, manifests, count))
    if json:
        print_json({"preview": str(path)})
    else:
        say(f"wrote {path}")


@app.command(epilog="[bold]Example[/]\n\n  rfmeta shards forget s3://bucket/faces --domain O --subject O_017")
def forget(
    prefix: Prefix,
    domain: Annotated[str, typer.Option("--domain", "-d", help="The subject's domain.", show_default=False)],
    subject: Annotated[
        str,
        typer.Option(
            help="The subject's name, as `rfmeta shards stats --subjects` lists it.", show_default=False
        ),
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Erase a person: publish the domain without the subject, then delete objects that hold or name them."""
    from rfmeta_dist.data.reading.cache import Cache, default_folder
    from rfmeta_dist.data.upkeep.forget import forget as erase

    store, _ = _domains(prefix, domain)
    _confirm(f"Erase subject {subject} from domain {domain} under {store.url} for good?", yes)
    done = erase(store, domain, subject)
    cache = Cache(default_folder())
    for shard in done.rewritten:
        cache.drop(shard.sha256)
    if json:
        print_json(asdict(done))
    say(f"{len(done.samples)} sample(s) of {subject} were removed, {len(done.rewritten)} shard(s) rewritten")
    say(f"{len(done.deleted)} object(s) deleted:")
    for name in done.deleted:
        say(f"  {name}")
    kept = "" if done.reclaimed else "what the S3 server keeps of deleted objects on its disk, "
    say(
        f"This command cannot delete: {kept}older versions that a versioned bucket keeps, shard caches of "
        "other machines, examples in evaluations and reports, and the raw data. Delete these yourself. Runs "
        "that read an older state of the domain cannot continue: start new ones."
    )


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "this command deletes data, and without a terminal it cannot ask for confirmation",
            "add --yes to confirm",
        )
    ask(question)


def _manifests(side: str, domain: str | None) -> dict[str, Manifest]:
    """Return manifests by domain: all of a prefix, or one if `side` is the path of a manifest."""
    from rfmeta_dist.data.shards.manifest import parse
    from rfmeta_dist.storage.store import open_store

    folder, _, name = side.rpartition("/")
    if not name.endswith(".json"):
        return {manifest.domain: manifest for manifest in _open(side, domain)[1]}
    store = open_store(folder or ".")
    found = parse(store, store.url.rpartition("/")[2], name)
    return {found.domain: found}


def _domains(prefix: str, domain: str | None) -> tuple[Store, list[str]]:
    from rfmeta_dist.data.shards.manifest import domains
    from rfmeta_dist.data.shards.prefix import not_found
    from rfmeta_dist.storage.store import open_store

    store = open_store(prefix)
    names = [domain] if domain else domains(store)
    if not names:
        raise not_found(store)
    return store, names


def _open(prefix: str, domain: str | None) -> tuple[Store, list[Manifest]]:
    from rfmeta_dist.data.shards.manifest import Manifest

    store, names = _domains(prefix, domain)
    return store, [Manifest.open(store, name) for name in names]
