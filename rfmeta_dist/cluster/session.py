"""Connect to Ray: to an existing cluster, or to a local one that is started for as long as it is needed."""

from __future__ import annotations

import _thread
import importlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import ray

from rfmeta_dist.cluster import object_store
from rfmeta_dist.cluster.autoscaler import LOCAL
from rfmeta_dist.cluster.errors import AGAIN, ours
from rfmeta_dist.core.errors import ClusterError
from rfmeta_dist.core.trace import hand_on

# Ray Train polls its workers at this interval, and a report waits for the next poll. Ray's 2 s slow short runs.
SETTINGS = {
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_maximum_startup_concurrency": "12",  # with less, Ray warns when readers and monitors start
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the command
    "RAY_AIR_NEW_OUTPUT": "0",  # no tables of Ray Tune, because rfmeta prints its own
}
QUIET: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
# Bytes of a result that is sent in the answer of a call instead of through the object store. Ray's 100 kB are
# too few for the batches of small images: through the store, a step takes two milliseconds more of CPU time.
INLINE = 1 << 20
_AUTHENTICATION = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
LOOPBACK = "127.0.0.1"
CONNECT_S = 5
HEAD_LOST_S = 30.0  # seconds without an answer of the head; Ray itself gives up after 60
_log = logging.getLogger(__name__)


@contextmanager
def session(
    slots: int | None = None,
    address: str | None = None,
    *,
    torch: bool = False,
    batches: int = 0,
    say: Callable[[str], None] = _log.warning,
) -> Iterator[bool]:
    """Connect to Ray while the context is open. Yield True if a local cluster was started for it.

    A process that is connected to Ray already keeps its connection.

    Args:
        slots: number of CPUs of a local cluster; the machine's cores if None.
        address: cluster to use instead of a local one; the environment variable RAY_ADDRESS if None.
        torch: True to import PyTorch while Ray starts, for a body that needs it. Each takes seconds.
        batches: bytes of batches that a local cluster holds at the same time, from `object_store.in_flight`.
        say: called with a message for the user if the machine has too little memory for the batches.

    Raises:
        ClusterError: the cluster cannot be reached or refuses the token, this process is connected to another
            cluster, or a local cluster cannot be started.
        RfmetaError: the body raised an error of Ray's, which `errors.ours` has converted.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if ray.is_initialized():
        _require_connected_to(address)
        yield False
        return
    hand_on()  # before Ray starts, so that workers of a local cluster have the same trace id
    address = address or os.environ.get("RAY_ADDRESS")
    # Sockets need a short path. Ray lets every user of the machine enter its folder, but not the one above it.
    private = None if address else Path(tempfile.mkdtemp(prefix="rf-", dir="/tmp"))
    with _own_token() if private else nullcontext():
        try:
            with _importing("torch") if torch else nullcontext(), _handler_kept():
                if private:
                    _start(slots, private / "ray", object_store.chosen(batches, *object_store.machine()), say)
                else:
                    _connect(str(address))
            direct = private is None and not (address or "").startswith("ray://")  # Ray Client raises itself
            with _head_watched() if direct else nullcontext():
                yield private is not None
        except ray.exceptions.RayError as error:
            raise ours(error) from error
        finally:
            ray.shutdown()
            if private:
                shutil.rmtree(private, ignore_errors=True)


class _LocalNode(ray._private.node.Node):  # type: ignore[misc]  # Ray is not typed
    """The node of a local cluster, without three of Ray's processes, which have no work there.

    They are the autoscaler's monitor; the dashboard's server, which `ray.init` starts and waits for even
    without a dashboard; and the process that copies the workers' output to the driver.

    The node's address is loopback. Ray would take the machine's address in the network.
    """

    def __init__(self, ray_params: Any, *arguments: Any, **named: Any) -> None:
        ray_params.update(node_ip_address=LOOPBACK)
        super().__init__(ray_params, *arguments, **named)

    def start_monitor(self) -> None:
        pass

    def start_api_server(self, **_: Any) -> None:
        pass

    def start_log_monitor(self) -> None:
        pass


@contextmanager
def _local_node() -> Iterator[None]:
    """Make `ray.init` start a `_LocalNode` while the context is open. It has no parameter for this."""
    module = ray._private.node
    module.Node, before = _LocalNode, module.Node
    try:
        yield
    finally:
        module.Node = before


@contextmanager
def _importing(module: str) -> Iterator[None]:
    """Import a module in a thread while the context is open, and wait for the import at the end.

    If the import fails, nothing is raised here: the next import of the module raises the same error.
    """

    def load() -> None:
        with suppress(Exception):
            importlib.import_module(module)

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def _own_token() -> Iterator[None]:
    """Make a local cluster use a token of this process, unless the environment names one, or a mode.

    Ray itself would write a token into a file that other users of the machine may read.
    """
    if any(name in os.environ for name in _AUTHENTICATION):
        yield
        return
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    _know_environment()
    try:
        yield
    finally:
        for name in _AUTHENTICATION:
            os.environ.pop(name, None)
        _know_environment()


@contextmanager
def _handler_kept() -> Iterator[None]:
    """Put back this process's own handler of SIGTERM after Ray has started in the context, if it has one.

    Ray replaces it by one that prints a stack of C++ frames and ends the process with another exit code.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as ending:  # SIGTERM has arrived while Ray's handler was in force
        if callable(before) and ending.code == signal.SIGTERM:
            before(signal.SIGTERM, None)
        raise
    finally:
        if callable(before) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _know_environment() -> None:
    """Make Ray, which keeps the mode and the token of this process, read them again."""
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


def _start(slots: int | None, folder: Path, store: object_store.Chosen, say: Callable[[str], None]) -> None:
    """Start a local cluster whose files are in `folder`."""
    if store.problem:
        say(store.problem)
    try:
        with _local_node():
            ray.init(
                address="local",
                num_cpus=slots,
                include_dashboard=False,
                object_store_memory=store.size,
                labels={LOCAL: "true"},
                _temp_dir=str(folder),
                _plasma_directory=object_store.SHARED if store.shared else str(folder),
                _system_config={"max_direct_call_object_size": INLINE},
                **QUIET,
            )
    except Exception as error:  # Ray raises many kinds here, also plain RuntimeErrors
        raise ClusterError(
            f"cannot start a local Ray cluster: {_first_line(error)}",
            "try again when the machine is less busy, or with fewer processes (--slots or --workers)",
        ) from error


def _connect(address: str) -> None:
    """Connect to an existing cluster."""
    try:
        _require_listener(address)
        ray.init(address=address, **QUIET)
    except Exception as error:
        raise ClusterError(
            f"cannot reach the Ray cluster at {address}: {_first_line(error)}",
            "check the address, and RAY_AUTH_MODE and RAY_AUTH_TOKEN if the cluster asks for a token",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@contextmanager
def _head_watched() -> Iterator[None]:
    """Raise a ClusterError in the body if the cluster's head does not answer any longer.

    Without it, Ray would end this process after a minute.
    """
    address = ray.get_runtime_context().gcs_address
    lost, done = threading.Event(), threading.Event()

    def watch() -> None:
        seen = time.monotonic()
        while not done.wait(CONNECT_S):
            try:
                _require_listener(address)
                seen = time.monotonic()
            except OSError:
                if time.monotonic() - seen > HEAD_LOST_S:
                    lost.set()
                    _thread.interrupt_main()  # the main thread waits inside Ray, where only a signal wakes it
                    return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if not lost.is_set():
            raise
        raise ClusterError(
            f"the head of the Ray cluster at {address} has not answered for {HEAD_LOST_S:g} s",
            "see that the cluster is up, then " + AGAIN,
        ) from None
    finally:
        done.set()


def _require_connected_to(address: str | None) -> None:
    """Raise a ClusterError if this process is connected to another cluster. A process can use only one."""
    connected = ray.get_runtime_context().gcs_address
    port = (address or "").rpartition(":")[2]
    # Compare ports only, because a host has many names. "auto" has no port and fits any cluster.
    if port.isdigit() and port != connected.rpartition(":")[2]:
        raise ClusterError(
            f"cannot reach the Ray cluster at {address}: this process is connected to the one at {connected}",
            "use the connected cluster, or call ray.shutdown() first",
        )


def _require_listener(address: str) -> None:
    """Raise an OSError unless a process listens there. Ray itself would try for minutes and print each try."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
