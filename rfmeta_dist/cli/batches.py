"""`rfmeta shards batches`, `review` and `retract`, and the options with which a command adds a batch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from rfmeta_dist.data.shards.batches import Batch
    from rfmeta_dist.data.shards.manifest import Manifest

LIST_EXAMPLES = """
[bold]Example[/]

  rfmeta shards batches s3://bucket/faces
"""
REVIEW_EXAMPLES = """
[bold]Examples[/]

  rfmeta shards preview s3://bucket/faces --domain O     [dim]# look at the pictures first[/]

  rfmeta shards review s3://bucket/faces O may

  rfmeta shards review s3://bucket/faces O may --undo
"""
RETRACT_EXAMPLES = """
[bold]Example[/]

  rfmeta shards retract s3://bucket/faces O may
"""

Into = Annotated[
    str | None,
    typer.Option(
        metavar="DOMAIN",
        help="Add the samples to this domain, as a batch of their own, instead of publishing a domain. Needs "
        "--batch and --supplier.",
    ),
]
Name = Annotated[
    str | None, typer.Option("--batch", metavar="NAME", help="With --into: name of the batch, such as 2026-05.")
]
Supplier = Annotated[str | None, typer.Option(metavar="WHO", help="With --into: who delivered the batch.")]

_Prefix = Annotated[str, typer.Argument(help="A folder or s3://… that holds domains.", show_default=False)]
_Domain = Annotated[str, typer.Argument(help="The domain of the batch.", show_default=False)]
_Batch = Annotated[str, typer.Argument(help="The name of the batch.", show_default=False)]


def batches(prefix: _Prefix, json: Json = False) -> None:
    """List the batches of all domains: supplier, time, whether reviewed, and videos by attack type."""
    from rfmeta_dist.data.shards.batches import batches_of, videos_by_type
    from rfmeta_dist.data.shards.manifest import Manifest, domains
    from rfmeta_dist.data.shards.prefix import not_found
    from rfmeta_dist.storage.store import open_store

    store = open_store(prefix)
    names = domains(store)
    if not names:
        raise not_found(store)
    found = []
    for name in names:
        manifest = Manifest.open(store, name)
        videos = videos_by_type(manifest)
        for batch in batches_of(manifest).values():
            said = {"domain": name, "batch": batch.name, **asdict(batch), "videos": videos.get(batch.name, {})}
            del said["name"]
            found.append(said)
    if json:
        print_json(found)
        return
    if not found:
        say(f"no domain under {store.url} has a batch; `rfmeta ingest … --into DOMAIN` adds one")
        return
    rows = (
        (
            *(row[column] for column in ("domain", "batch", "supplier", "time")),
            "yes" if row["reviewed"] else "no",
            ", ".join(f"{kind} {number}" for kind, number in row["videos"].items()),
        )
        for row in found
    )
    show_table(("domain", "batch", "supplier", "added", "reviewed", "videos"), rows)


def review(
    prefix: _Prefix,
    domain: _Domain,
    batch: _Batch,
    undo: Annotated[bool, typer.Option("--undo", help="Mark the batch as not reviewed.")] = False,
    json: Json = False,
) -> None:
    """Mark a batch as reviewed: a person checked its labels. Retraining counts gains on such batches only."""
    from rfmeta_dist.data.shards.batches import set_reviewed
    from rfmeta_dist.storage.store import open_store

    manifest = set_reviewed(open_store(prefix), domain, batch, not undo)
    if json:
        print_json({"domain": domain, "batch": batch, "reviewed": not undo, "manifest": manifest.fingerprint})
        return
    say(f"batch {batch} of domain {domain} is {'not reviewed' if undo else 'reviewed'}")
    say(f"domain {domain}: manifest {manifest.fingerprint[:12]}")


def retract(prefix: _Prefix, domain: _Domain, batch: _Batch, json: Json = False) -> None:
    """Publish a domain without a batch. Nothing is deleted: runs that read the batch can go on."""
    from rfmeta_dist.data.shards.batches import retract as take_out
    from rfmeta_dist.storage.store import open_store

    manifest = take_out(open_store(prefix), domain, batch)
    if json:
        print_json({"domain": domain, "batch": batch, "manifest": manifest.fingerprint})
        return
    say(
        f"batch {batch} is no longer in domain {domain}. Its shards are still stored; `rfmeta shards forget` "
        "erases a person"
    )
    say(f"domain {domain}: manifest {manifest.fingerprint[:12]}")


def asked(into: str | None, name: str | None, supplier: str | None) -> Batch | None:
    """Return the batch that the options --into, --batch and --supplier ask for; None without --into.

    Raises:
        ConfigError: one of the three is given without the others.
    """
    given = {"--into": into, "--batch": name, "--supplier": supplier}
    lacking = [option for option, value in given.items() if not value]
    if len(lacking) == len(given):
        return None
    if into is None:
        there = next(option for option, value in given.items() if value)
        raise ConfigError(
            f"{there} describes a batch, but --into, the domain that the batch joins, is not given",
            f"add --into DOMAIN, or leave {there} out to publish a domain",
        )
    if lacking or name is None or supplier is None:
        raise ConfigError(
            f"--into {into} adds a batch, but {' and '.join(lacking)} is not given",
            "give all of --into DOMAIN --batch NAME --supplier WHO",
        )
    from rfmeta_dist.data.shards.batches import Batch, require_usable

    batch = Batch(name, supplier, datetime.now(UTC).isoformat(timespec="seconds"))
    require_usable(batch)
    return batch


def say_added(manifest: Manifest, batch: Batch) -> None:
    """Print what a domain got by a batch, and what was left out of it."""
    from rfmeta_dist.data.shards.batches import batches_of, videos_by_type

    there = batches_of(manifest)[batch.name]
    if there.time != batch.time:
        say(f"domain {manifest.domain} has had the same batch {batch.name} since {there.time}: nothing changed")
        return
    videos = videos_by_type(manifest).get(batch.name, {})
    kinds = ", ".join(f"{kind} {number}" for kind, number in videos.items())
    say(f"batch {batch.name} from {batch.supplier}: {there.samples} samples, videos: {kinds}")
    for kind, number in there.surplus.items():
        say(f"  {number} videos of {kind} are left out: they would outweigh all other types of the domain")
    say(f"check its labels, then: rfmeta shards review PREFIX {manifest.domain} {batch.name}")
