"""Start the services in order, watch them until a signal comes or the head dies, and end them all."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from infra.stack import family, ports, prometheus, ray_nodes, tracking
from infra.stack.place import Place
from infra.stack.service import Probe, Service, alive_nodes, answers, clean_environment
from rfmeta_dist.cli.terminal import say
from rfmeta_dist.core.extras import NEEDS

BUCKET = "rfmeta"
FOLDERS = tuple(f"s3://{BUCKET}/{name}" for name in ("runs", "studies", "retrain"))  # as in jobs/
_QUICK_S, _SLOW_S = 0.5, 2.0  # seconds between two looks at the services: while some start, and later
_START_S = 180  # seconds in which the head must answer
_GRACE_S = 10  # seconds from SIGTERM to SIGKILL
_DEAD_HEAD = 6


@dataclass(frozen=True)
class Options:
    """What `infra/local up` was asked for.

    Attributes:
        machine: nodes and what they may use.
        ports: asked ports by name.
        without: services that are left out: prometheus, metrics.
        tracking: True if MLflow's server is wanted.
    """

    machine: ray_nodes.Machine
    ports: dict[str, int]
    without: frozenset[str]
    tracking: bool


def tell(*lines: str) -> None:
    """Print lines on stderr. A terminal that was closed is no reason to stop in the middle of a clean-up."""
    with suppress(OSError, SystemExit):
        say(*lines)


class Supervisor:
    """Starts, watches and ends the services of one stack.

    Args:
        place: the folder, which this process holds.
        options: what to start.
        temp: folder for sockets and settings that the caller removes.
    """

    def __init__(self, place: Place, options: Options, temp: Path) -> None:
        self._place, self._options, self._temp = place, options, temp
        self._services: list[Service] = []
        self._waiting: list[Callable[[], None]] = []  # starts of the workers, which need a head that answers
        self._token = ""
        self._began = time.monotonic()
        self._ending_since: float | None = None

    def run(self) -> int:
        """Run the stack. Return 6 if the head died; a signal raises SystemExit with 128 + its number.

        Raises:
            ConfigError: a port is taken.
            StorageError: SeaweedFS does not start.
        """
        os.environ["TMPDIR"] = tempfile.tempdir = str(self._temp)
        program = tracking.installed(tell) if self._options.tracking else None
        chosen = ports.choose(self._options.ports, self._wanted(program), self._options.machine.host)
        self._token = self._place.new_token()
        with ExitStack() as stack:
            # In reverse order: the services end first, then SeaweedFS, to which they write, then what is left.
            stack.callback(self._end_others)
            more = self._start_s3(stack)
            stack.callback(self._end)
            if program is not None:
                self._start_tracking(program, chosen["tracking"])
                more |= tracking.variables(chosen["tracking"], self._token)
            environment = ray_nodes.environment(self._place, self._temp, chosen, more)
            self._start_nodes(chosen, environment)
            self._start_metrics(chosen, environment)
            return self._watch(chosen)

    def _wanted(self, program: Path | None) -> set[str]:
        wanted = {"dashboard"} | ({"tracking"} if program else set())
        if "metrics" in NEEDS and "metrics" not in self._options.without:
            wanted.add("metrics")
        if "prometheus" not in self._options.without:
            if prometheus.installed():
                wanted.add("prometheus")
            else:
                tell(prometheus.REMEDY)
        return wanted

    def _start_s3(self, stack: ExitStack) -> dict[str, str]:
        """Start SeaweedFS and return what its clients need, keys included."""
        from rfmeta_dist.storage.embedded import embedded_s3

        self._say("s3", "starting", "")
        folder = self._place.folder / "s3"
        server = stack.enter_context(embedded_s3(folder))
        server.make_bucket(BUCKET)
        healthy = partial(answers, f"{server.endpoint}/healthz")
        service = Service("s3", f"{server.endpoint} bucket {BUCKET}", folder / "weed.log", healthy)
        service.process = server.process
        self._services.append(service)
        return dict(server.environment)

    def _start_tracking(self, program: Path, port: int) -> None:
        url = f"http://127.0.0.1:{port}"
        service = self._add("tracking", url, partial(answers, f"{url}/health"))
        folder = self._place.folder / "tracking"
        service.start(tracking.command(program, folder, port), tracking.environment(self._temp, self._token))

    def _start_nodes(self, chosen: dict[str, int], environment: dict[str, str]) -> None:
        machine, url = self._options.machine, self._dashboard(chosen)
        self._place.write_client(url)
        head = self._add("head", url, partial(self._head_answers, url))
        head.needed = True
        head.start(machine.head(self._temp, chosen), environment)
        for number in range(1, machine.workers + 1):
            name = f"worker-{number}"
            worker = self._add(name, f"{machine.cpus} CPUs", partial(self._is_alive, url, name))
            own = {"CUDA_VISIBLE_DEVICES": ",".join(machine.gpus(number))} if ray_nodes.gpu_ids() else {}
            command = machine.worker(number, self._temp, chosen)
            self._waiting.append(partial(worker.start, command, environment | own))

    def _start_metrics(self, chosen: dict[str, int], environment: dict[str, str]) -> None:
        if "metrics" in chosen:
            where = f"127.0.0.1:{chosen['metrics']}"
            service = self._add(
                "metrics", f"http://{where}/metrics", partial(answers, f"http://{where}/metrics")
            )
            command = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", "metrics"]
            service.start([*command, *FOLDERS, "--serve", where], environment)
        program = prometheus.installed()
        if "prometheus" in chosen and program:
            url = f"http://127.0.0.1:{chosen['prometheus']}"
            service = self._add("prometheus", url, partial(answers, f"{url}/-/ready"))
            folder = self._place.folder / "prometheus"
            service.start(prometheus.command(program, self._temp, folder, chosen), clean_environment())

    def _add(self, name: str, where: str, healthy: Probe) -> Service:
        service = Service(name, where, self._place.logs / f"{name}.log", healthy)
        self._services.append(service)
        self._say(name, "starting", "")
        return service

    def _dashboard(self, chosen: dict[str, int]) -> str:
        return f"http://{self._options.machine.host}:{chosen['dashboard']}"

    def _head_answers(self, url: str) -> bool:
        """Return True if the Jobs API refuses a request without the token and answers one with it."""
        return answers(f"{url}/api/jobs/", status=401) and answers(f"{url}/api/version", self._token)

    def _is_alive(self, url: str, name: str) -> bool:
        return name in alive_nodes(url, self._token)

    def _watch(self, chosen: dict[str, int]) -> int:
        """Look at the services for ever. Return an exit code if one dies that the stack needs."""
        ready = False
        deadline = time.monotonic() + _START_S
        while True:
            for service in self._services:
                if service.look():
                    self._report(service)
                    if service.state == "dead" and service.needed:
                        tell(f"the {service.name} has ended, so the stack ends")
                        return _DEAD_HEAD
                if service.needed and service.state == "starting" and time.monotonic() > deadline:
                    tell(f"the {service.name} does not answer after {_START_S} s", *service.last_lines())
                    return _DEAD_HEAD
            if any(service.needed and service.state == "healthy" for service in self._services):
                for start in self._waiting:
                    start()
                self._waiting.clear()
            self._save()
            starting = any(service.state == "starting" for service in self._services)
            if not starting and not ready:
                ready = True
                self._invite(chosen)
            family.reap({s.process.pid for s in self._services if s.process})
            time.sleep(_QUICK_S if starting else _SLOW_S)

    def _report(self, service: Service) -> None:
        self._say(service.name, service.state, service.where)
        if service.state == "dead":
            tell(f"the last lines of {service.log}:", *(f"  {line}" for line in service.last_lines()))

    def _say(self, name: str, state: str, where: str) -> None:
        tell(f"{time.monotonic() - self._began:5.1f} s  {name:<11} {state:<9} {where}".rstrip())

    def _save(self) -> None:
        self._place.write_state(
            [{"name": s.name, "state": s.state, "where": s.where, "log": str(s.log)} for s in self._services]
        )

    def _invite(self, chosen: dict[str, int]) -> None:
        dead = [service.name for service in self._services if service.state == "dead"]
        without = f", without {', '.join(dead)}" if dead else ""
        lines = [
            "",
            f"the stack is ready{without}; type in another terminal:",
            "",
            f"  source {self._place.client_file}",
            "  rfmeta submit jobs/synth.yaml",
            "",
            f"the dashboard {self._dashboard(chosen)} asks for the token in {self._place.token_file}",
        ]
        if "tracking" in chosen:
            lines.append(f"tracking: user {tracking.USER}, the password is the token too")
        tell(*lines, "Ctrl-C ends the stack; data and logs are kept in", f"  {self._place.folder}", "")

    def _end(self) -> None:
        """Ask all services but SeaweedFS to end, and kill what is left of them."""
        for number in family.SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._ending_since = time.monotonic()
        tell("ending")
        for service in self._services[1:]:
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
        deadline = self._ending_since + _GRACE_S
        while time.monotonic() < deadline and any(
            service.process and service.process.poll() is None for service in self._services[1:]
        ):
            time.sleep(0.05)
        for service in self._services[1:]:
            if service.process is not None and service.process.poll() is None:
                tell(f"{service.name} has not ended within {_GRACE_S} s and is killed")
        server = self._services[0].process
        family.end_all({server.pid} if server else set())

    def _end_others(self) -> None:
        left = family.end_all()
        for process in left:
            tell(f"process {process.pid} cannot be ended")
        if self._ending_since is not None and not left:
            tell(f"ended in {time.monotonic() - self._ending_since:.1f} s; no process is left")
