"""`rfmeta metrics`: show what stands in the store of runs, studies and retrainings, for Prometheus."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from rfmeta_dist.cli.terminal import Json, print_json, say, show
from rfmeta_dist.core.errors import ConfigError, RunError, StorageError

if TYPE_CHECKING:
    from rfmeta_dist.monitoring.exporter import Exporter

EXAMPLES = """
[bold]Examples[/]

  rfmeta metrics runs/demo                            [dim]# a run[/]

  rfmeta metrics runs/my-study runs/retrain/shop      [dim]# a study and a retraining[/]

  rfmeta metrics s3://bucket/runs --serve 127.0.0.1:9464    [dim]# all below a folder, for Prometheus[/]

The store is read every 30 seconds, and nothing is written. If it does not answer, rfmeta_store_up is 0.
Runs below a folder, such as those of a leave-one-out, are counted by target. A run that is named has series of
its own.
"""
LOOPBACK = "127.0.0.1"


def metrics(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER…",
            help="Folders of runs, studies and retrainings, or folders that hold some; local or s3://….",
            show_default=False,
        ),
    ],
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Answer Prometheus at http://HOST:PORT/metrics until Ctrl-C or SIGTERM, instead of printing.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the figures of runs, studies and retrainings as Prometheus reads them, or serve them.

    The figures are computed from the files in the folders, so they include what ended before a scrape.
    """
    from rfmeta_dist.monitoring.exporter import Exporter

    if serve is not None and json:
        raise ConfigError("--json prints once, and --serve does not end", "give one of the two")
    exporter = Exporter(folders, say)
    if serve is not None:
        _serve(serve, exporter)
        return
    exporter.refresh()
    if json:
        print_json([vars(sample) for sample in exporter.samples])
    else:
        show(*exporter.text.splitlines())
    if exporter.down:
        raise StorageError(
            f"{len(exporter.down)} of {len(folders)} folders cannot be read, such as {exporter.down[0]}",
            "see the message above; the figures of the other folders were printed",
        )
    if exporter.empty:
        raise RunError(
            f"there is no run, study or retraining in {exporter.empty[0]}",
            "give the folder that rfmeta train, tune or retrain printed",
        )


def _serve(address: str, exporter: Exporter) -> None:
    from rfmeta_dist.monitoring.server import Server

    host, port = _parsed(address)
    with Server(host, port, exporter) as server, server.renewed():
        if not _is_loopback(host):
            say(
                f"{host} is reached from other machines, and the figures are shown to whoever asks: they name "
                "runs, domains and folders",
                lead="warning",
            )
        for folder in exporter.empty:
            say(f"no run, study or retraining is in {folder} yet; check the name if one should be there")
        say(f"figures at {server.url}; Ctrl-C ends the service")
        with suppress(KeyboardInterrupt, SystemExit):  # SIGTERM raises SystemExit; both end a service in order
            server.serve_forever()
    say("ended")


def _parsed(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT` or `:PORT`, which is on loopback.

    Raises:
        ConfigError: it is not such an address.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f"--serve {address!r} is not HOST:PORT", "write it like --serve 127.0.0.1:9464")
    return host.strip("[]") or LOOPBACK, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
