"""Read from the configuration on the head what a cluster's autoscaler may add; Ray has no interface for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml

ANSWER_S = 30.0  # for the head to start a process and read a file
MONITORS = "autoscaler/_private/monitor.py", "autoscaler/v2/monitor.py"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Growth:
    """The machines that the autoscaler may run beside the head.

    Attributes:
        known: False if there may be an autoscaler whose configuration cannot be read.
        machines: resources of each worker machine that it may run, largest number of each type.
        at_most: how many of them at the same time.
    """

    known: bool = True
    machines: tuple[Mapping[str, float], ...] = ()
    at_most: int = 0


def growth() -> Growth:
    """Return what the autoscaler of the connected cluster may add; nothing if it has none."""
    node = ray._private.worker._global_node
    if node is not None and node.head:  # a cluster of our own, which has none
        return Growth()
    try:
        gcs = ray.get_runtime_context().gcs_address
    except AttributeError:  # a client's connection
        return Growth(known=False)
    # A trial's placement group would take the task in, and has no room for it.
    options = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}, "scheduling_strategy": "DEFAULT"}
    answer = ray.remote(max_retries=0, **options)(_read).remote(gcs)
    try:
        found: Growth = ray.get(answer, timeout=ANSWER_S)
    except ray.exceptions.RayError:  # the head runs no processes of ours
        ray.cancel(answer)
        return Growth(known=False)
    return found


def parse(config: Mapping[str, Any]) -> Growth:
    """Return what an autoscaler's configuration, as `ray up` takes it, allows beside the head.

    Nothing is known if it does not say what a machine has, as for machines of one's own (`provider: local`).
    """
    most = int(config.get("max_workers", 2))  # Ray's default
    machines: list[Mapping[str, float]] = []
    for name, kind in config["available_node_types"].items():
        if name != config.get("head_node_type"):
            machines += [kind.get("resources", {})] * min(int(kind.get("max_workers", most)), most)
    if not all(machines):  # machines of one's own, of which Ray's configuration tells no resources
        return Growth(known=False)
    return Growth(True, tuple(machines), min(most, len(machines)))


def _read(gcs: str) -> Growth:
    """Find the autoscaler and its configuration; runs on the head, where Ray keeps one monitor a cluster."""
    for line in _command_lines():
        if f"--gcs-address={gcs}" in line and any(part.endswith(MONITORS) for part in line):
            return _of_monitor(line)
    return _of_kubernetes()


def _of_monitor(line: list[str]) -> Growth:
    option = "--autoscaling-config="
    paths = [part.removeprefix(option) for part in line if part.startswith(option)]
    if not paths:
        return Growth()  # a cluster of fixed size: its monitor only watches
    return parse(yaml.safe_load(Path(paths[0]).expanduser().read_text(encoding="utf-8")))


def _of_kubernetes() -> Growth:
    """Read the head's RayCluster; KubeRay runs the autoscaler in a container beside the head's."""
    from ray.autoscaler._private.kuberay import autoscaling_config, node_provider

    name = os.environ.get("RAY_CLUSTER_NAME")
    try:
        client = node_provider.KubernetesHttpApiClient(ACCOUNT.read_text(encoding="utf-8").strip())
        cluster = client.get(f"rayclusters/{name}")
        if not cluster["spec"].get("enableInTreeAutoscaling"):
            return Growth()
        return parse(autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster))
    except Exception:  # noqa: BLE001  no Kubernetes, no permission, another version: nothing is known then
        return Growth(known=False)


def _command_lines() -> Iterator[list[str]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            yield file.read_bytes().decode(errors="replace").split("\0")
