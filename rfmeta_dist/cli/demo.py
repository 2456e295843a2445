"""`rfmeta demo`: provide data, train, judge and report on this machine, without any set-up."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfmeta_dist.cli.init import demo_configuration
from rfmeta_dist.cli.synth import Identities
from rfmeta_dist.cli.terminal import Json, Overrides, print_json, say
from rfmeta_dist.config.shipped import DEMO_SHARDS
from rfmeta_dist.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rfmeta_dist.cli.synth import Planned
    from rfmeta_dist.config.schema import Config
    from rfmeta_dist.storage.store import Store

RHO = 0.0  # with spurious cues in the data, a training as short as the demo's ends at chance on the target

EXAMPLES = """
[bold]Examples[/]

  rfmeta demo

  rfmeta demo --generate                 [dim]# makes the faces, also where a checkout has them[/]

  rfmeta demo --identities portraits/ --set run.folder=runs/portraits

  rfmeta example demo > demo.yaml

  rfmeta demo demo.yaml
"""


def demo(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="Configuration file. If not given: the demo.yaml that `rfmeta init` wrote into this folder, "
            "or else the one that comes with rfmeta.",
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    generate: Annotated[
        bool,
        typer.Option("--generate", help="Generate the faces, although a checkout of the repository has them."),
    ] = False,
    scale: Annotated[
        str | None,
        typer.Option(
            help="How much data to generate: tiny, small, demo or full; if not given, demo, and small with "
            "--identities. Implies --generate.",
            show_default=False,
        ),
    ] = None,
    identities: Identities = None,
    json: Json = False,
) -> None:
    """Train a detector on some generated face domains, judge it on another one, and write a report.

    A checkout of the repository contains the faces; elsewhere they are generated first.
    """
    from rfmeta_dist.cli.run import print_table, slots_for, write_report
    from rfmeta_dist.cli.watch import training_display
    from rfmeta_dist.config.load import load_config

    chosen = load_config(config or demo_configuration(), overrides or ())
    if chosen.data.target is None:
        raise ConfigError(
            "the demo judges its model on a target, but the configuration has no data.target",
            f"add --set data.target=X, where X is none of the sources {', '.join(chosen.data.sources)}",
        )
    started = time.time()
    bucket, slots = _bucket(chosen), slots_for(chosen, None)
    shards = None if generate or scale or identities else _stored_shards(chosen)
    plans = {} if shards else _plan(chosen, scale or ("small" if identities else "demo"), identities, slots)

    from rfmeta_dist.cluster.judging import evaluate_here
    from rfmeta_dist.cluster.object_store import in_flight
    from rfmeta_dist.cluster.session import session
    from rfmeta_dist.cluster.train import train_run
    from rfmeta_dist.storage.embedded import embedded_s3

    # Start the server before Ray: Ray's workers inherit its address and credentials from the environment.
    with embedded_s3(Path(chosen.run.folder) / "s3") as server:
        server.make_bucket(bucket)
        say(f"S3 server at {server.endpoint}", lead="1/4")
        if shards:
            _copy(shards, chosen)
        with session(slots, torch=True, batches=in_flight(chosen), say=say) as local:
            _generate(chosen, plans, quiet=json)
            workers, what = chosen.training.workers, f"{chosen.method.name} on {chosen.data.protocol}"
            say(f"training {what} with {workers} Ray Train workers", lead="2/4")
            with training_display(quiet=json) as show:
                folder = train_run(chosen, show, local=local)
        say(f"judging on {chosen.data.target}, whose labels were not read until now", lead="3/4")
        result = evaluate_here(chosen, folder)
        page = write_report(folder)
    if json:
        print_json({"evaluation": result, "report": page})
        return
    print_table([result])
    _explain(result)
    say(f"done in {(time.time() - started) / 60:.1f} minutes; the report is {page}", lead="4/4")
    _say_next(chosen)


def _stored_shards(config: Config) -> Store | None:
    """Return the store of the shards that come with a checkout; None if it lacks a domain of the run."""
    from rfmeta_dist.storage.store import open_store

    if not all((DEMO_SHARDS / name).is_dir() for name in config.data.domains):
        return None
    return open_store(str(DEMO_SHARDS))


def _copy(shards: Store, config: Config) -> None:
    """Copy the domains of a run to the place that it reads them from."""
    from rfmeta_dist.data.shards.copy import copy
    from rfmeta_dist.storage.store import open_store

    say(f"copying the faces of {', '.join(config.data.domains)} from {shards.url} to the server")
    for name in config.data.domains:
        manifest = copy(shards, name, open_store(config.data.prefix))
        say(f"{name}: {len(manifest.samples)} samples, manifest {manifest.fingerprint[:12]}")


def _plan(config: Config, scale: str, identities: Path | None, slots: int) -> Mapping[str, Planned]:
    """Plan what is generated, which reports mistakes early, and say how long it takes."""
    from rfmeta_dist.cli.synth import plan_domains
    from rfmeta_dist.synth.domains.card import DOMAINS

    plans = plan_domains(list(config.data.domains), scale, 0, identities, RHO, DOMAINS)
    _say_time(plans, Path(config.run.folder) / "s3", slots)
    return plans


def _generate(config: Config, plans: Mapping[str, Planned], *, quiet: bool) -> None:
    from rfmeta_dist.cli.synth import generate_domains

    if plans:
        say(f"generating the faces of {', '.join(plans)}")
        generate_domains(config.data.prefix, plans, None, quiet=quiet)


def _bucket(config: Config) -> str:
    scheme, _, rest = config.data.prefix.partition("s3://")
    if scheme or not rest.strip("/"):
        raise ConfigError(
            f"the demo stores its data in S3, but data.prefix={config.data.prefix} is not an S3 address",
            "set data.prefix=s3://bucket/name",
        )
    return rest.split("/")[0]


def _say_time(plans: Mapping[str, Planned], store: Path, slots: int) -> None:
    """Print how long generating takes, unless an earlier call may have done a part of it."""
    from rfmeta_dist.cli import forecast
    from rfmeta_dist.cli.machine import cores

    if store.exists():
        say(f"faces that an earlier call has put into {store} are not generated again")
        return
    frames, processes = sum(v.frames for p in plans.values() for v in p.videos), min(slots, cores())
    minutes = forecast.seconds([p.videos for p in plans.values()], processes) / 60
    say(
        f"generating {frames} frames will take about {minutes:.1f} minutes with {processes} processes; "
        "training and judging follow"
    )


def _explain(result: dict[str, Any]) -> None:
    video = result["figures"]["video"]
    hter, auc, oracle = (100 * video[name]["value"] for name in ("HTER", "AUC", "oracle_EER"))
    say(
        f"HTER {hter:.1f} %: the mean of the share of attacks accepted and the share of live faces rejected "
        f"on {result['target']}, whose cameras, light and attack material the model never saw. The threshold "
        "was set on the sources' validation videos (50 % is guessing, 0 % is perfect).",
        f"AUC {auc:.1f} %: the probability that a live video gets a higher score than an attack.",
        f"Oracle EER {oracle:.1f} %: the error with the threshold chosen on the target's own labels. Many "
        "papers print this figure, but it cannot be reached in practice, where those labels are not known.",
        "The domains are generated, without spurious cues: the figures show that the system works, nothing "
        "about real data.",
    )


def _say_next(config: Config) -> None:
    """Print three commands to try after the demo. The first two repeat the options of this call."""
    again, name = shlex.join(["rfmeta", *sys.argv[1:]]), config.run.name
    first, *others = config.data.domains
    swapped = f"--set data.target={first} --set 'data.sources=[{','.join(others)}]'"
    say(
        "What to try next:",
        f"  {again} --set run.name={name}-{first} {swapped}    judges on another domain",
        f"  {again} --set run.name={name}-no-meta --set method.name=no_meta    trains without meta-learning",
        "  rfmeta ingest --help    makes shards of your own recordings",
    )
