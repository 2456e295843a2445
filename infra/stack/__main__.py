"""Run a Ray cluster with storage, tracking and monitoring on this machine, without containers.

infra/local up        start everything and stay; Ctrl-C, SIGTERM or a closed terminal ends it
infra/local status    from another terminal: is each service healthy (exit code 0) or not (1)
infra/local down      from another terminal: end it and wait until it has ended
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from infra.stack import family
from infra.stack.place import Place
from infra.stack.ports import FIXED
from infra.stack.ray_nodes import Machine
from infra.stack.supervisor import Options, Supervisor
from rfmeta_dist.cli.terminal import open_terminal, print_json, say, show_table
from rfmeta_dist.core.errors import ConfigError, RfmetaError
from rfmeta_dist.core.loopback import bypass_proxies

_STALE_S = 60  # a state that is older comes from a supervisor that hangs


def main() -> int:
    """Run what the command line asks for and return the exit code."""
    open_terminal()
    bypass_proxies()
    asked = _parser().parse_args()
    place = Place(asked.folder)
    try:
        if asked.command == "up":
            return up(place, asked)
        return status(place, asked.json) if asked.command == "status" else down(place)
    except RfmetaError as error:
        say(str(error), lead="error", style="bold red")
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def up(place: Place, asked: argparse.Namespace) -> int:
    """Run the stack in the foreground, and leave no process and no temporary file.

    Raises:
        ConfigError: an option has a value that cannot be.
        RunError: a stack runs in the folder already.
    """
    if sys.platform != "linux":
        raise ConfigError(
            "infra/local needs Linux", "use a Linux machine, or `rfmeta demo`, which needs no cluster"
        )
    options = _options(asked)
    with place.taken():
        temp = Path(tempfile.mkdtemp(prefix="rf-"))  # sockets need a short path
        try:
            return family.keep(lambda: _work(place, options, temp))
        finally:
            shutil.rmtree(temp, ignore_errors=True)


def _work(place: Place, options: Options, temp: Path) -> int:
    try:
        return Supervisor(place, options, temp).run()
    except RfmetaError as error:
        say(str(error), lead="error", style="bold red")
        return error.exit_code


def status(place: Place, as_json: bool) -> int:
    """Show each service. Return 0 if all are healthy and 1 if not, or if no stack runs."""
    if not place.running():
        say(f"no stack runs in {place.folder}; start one with: infra/local up --folder {place.folder}")
        return 1
    state = place.read_state()
    services = state["services"]
    fresh = time.time() - state["time"] < _STALE_S
    if as_json:
        print_json({"services": services, "fresh": fresh})
    else:
        show_table(["service", "state", "where"], [[s["name"], s["state"], s["where"]] for s in services])
    if services and not fresh:
        say(
            "the supervisor has not looked at the services for a minute, so this may be out of date; "
            f"if it stays so, end the stack with: infra/local down --folder {place.folder}"
        )
    return 0 if services and fresh and all(s["state"] == "healthy" for s in services) else 1


def down(place: Place) -> int:
    """End the stack of the folder and wait for it. Return 0; 1 if none runs.

    Raises:
        RunError: it does not end.
    """
    ended = place.end()
    say(f"the stack of {place.folder} has ended" if ended else f"no stack runs in {place.folder}")
    return 0 if ended else 1


def _options(asked: argparse.Namespace) -> Options:
    try:
        address = ipaddress.ip_address(asked.host)
    except ValueError:
        raise ConfigError(
            f"--host {asked.host} is no IP address", "give one of this machine's, such as 127.0.0.1"
        ) from None
    if address.is_unspecified or not address.is_private:
        raise ConfigError(
            f"--host {asked.host} would offer the cluster to everyone who reaches this machine",
            "give the address of a private network, or keep 127.0.0.1 and use an SSH tunnel",
        )
    cpus = asked.cpus or max(2, (os.cpu_count() or 1) // max(1, asked.workers))
    machine = Machine(asked.workers, cpus, asked.host)
    return Options(machine, dict(asked.port), frozenset(asked.without), asked.tracking)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="infra/local", description=__doc__, formatter_class=form)
    usual = ", ".join(f"{name}={number}" for name, number in FIXED.items())
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|status|down")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument(
        "--folder",
        type=Path,
        default=Path("runs/cluster"),
        help="folder for data, logs and token (runs/cluster)",
    )
    start = commands.add_parser("up", parents=[folder], help="start everything and stay in the foreground")
    start.add_argument(
        "--workers", type=_count, default=2, help="number of worker nodes (2); with 0 the head runs the tasks"
    )
    start.add_argument(
        "--cpus",
        type=_count,
        default=0,
        help="CPUs of each worker (this machine's CPUs divided by the workers, at least 2)",
    )
    start.add_argument(
        "--host",
        default="127.0.0.1",
        help="address of the dashboard and the Jobs API (127.0.0.1); other services stay on loopback",
    )
    start.add_argument(
        "--port",
        type=_port,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help=f"choose a port; 0 is any free one. Names and usual ports: {usual}",
    )
    start.add_argument(
        "--without",
        action="append",
        default=[],
        choices=["prometheus", "metrics"],
        help="leave out a service; may be repeated",
    )
    start.add_argument(
        "--tracking", action="store_true", help="start MLflow's server, too; it is installed the first time"
    )
    shown = commands.add_parser("status", parents=[folder], help="say how each service is")
    shown.add_argument("--json", action="store_true", help="print the result as JSON")
    commands.add_parser("down", parents=[folder], help="end the stack and wait until it has ended")
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("give a number that is not negative")
    return number


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdigit() or int(number) > 65535:
        raise argparse.ArgumentTypeError("write it as NAME=NUMBER, such as dashboard=8265")
    return name, int(number)


if __name__ == "__main__":
    sys.exit(main())
