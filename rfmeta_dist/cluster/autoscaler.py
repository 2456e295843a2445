"""Find out which machines a cluster's autoscaler may add.

Ray has no interface for this, so the autoscaler's configuration is read on the head.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml

ANSWER_S = 30.0  # seconds for the head to start a process and read a file
MONITORS = "autoscaler/_private/monitor.py", "autoscaler/v2/monitor.py"
LOCAL = "rfmeta-local"  # label of the node of a local cluster
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Growth:
    """The machines that the autoscaler may run beside the head.

    Attributes:
        known: False if there may be an autoscaler whose configuration cannot be read.
        machines: resources of the worker machines that it may run; a type is listed once for each machine.
        at_most: largest number of worker machines at the same time.
    """

    known: bool = True
    machines: tuple[Mapping[str, float], ...] = ()
    at_most: int = 0


def growth() -> Growth:
    """Return what the autoscaler of the connected cluster may add; nothing if the cluster has no autoscaler."""
    node = ray._private.worker._global_node
    started_here = node is not None and node.head
    if started_here or any(LOCAL in machine["Labels"] for machine in ray.nodes()):
        return Growth()  # a local cluster has no autoscaler
    try:
        gcs = ray.get_runtime_context().gcs_address
    except AttributeError:  # a connection through Ray Client does not know the address
        return Growth(known=False)
    # Without DEFAULT, a task of a Tune trial joins the trial's placement group, which has no room for it.
    options = {"num_cpus": 0, "resources": {"node:__internal_head__": 0.001}, "scheduling_strategy": "DEFAULT"}
    answer = ray.remote(max_retries=0, **options)(_read).remote(gcs)
    try:
        found: Growth = ray.get(answer, timeout=ANSWER_S)
    except ray.exceptions.RayError:  # the head does not run tasks
        ray.cancel(answer)
        return Growth(known=False)
    return found


def parse(config: Mapping[str, Any]) -> Growth:
    """Return the machines that an autoscaler's configuration, as `ray up` takes it, allows beside the head.

    `known` is False if the configuration does not list a machine's resources, as with `provider: local`.
    """
    most = int(config.get("max_workers", 2))  # Ray's default
    machines: list[Mapping[str, float]] = []
    for name, kind in config["available_node_types"].items():
        if name != config.get("head_node_type"):
            machines += [kind.get("resources", {})] * min(int(kind.get("max_workers", most)), most)
    if not all(machines):  # with `provider: local` the configuration lists no resources
        return Growth(known=False)
    return Growth(True, tuple(machines), min(most, len(machines)))


def _read(gcs: str) -> Growth:
    """Find the autoscaler's configuration. Runs on the head, where each cluster has one monitor process."""
    for line in _command_lines():
        if f"--gcs-address={gcs}" in line and any(part.endswith(MONITORS) for part in line):
            return _of_monitor(line)
    return _of_kubernetes()


def _of_monitor(line: list[str]) -> Growth:
    option = "--autoscaling-config="
    paths = [part.removeprefix(option) for part in line if part.startswith(option)]
    if not paths:
        return Growth()  # the cluster has a fixed size, and its monitor adds no machines
    return parse(yaml.safe_load(Path(paths[0]).expanduser().read_text(encoding="utf-8")))


def _of_kubernetes() -> Growth:
    """Read the head's RayCluster object: KubeRay runs the autoscaler in another container of the pod."""
    from ray.autoscaler._private.kuberay import autoscaling_config, node_provider

    name = os.environ.get("RAY_CLUSTER_NAME")
    try:
        client = node_provider.KubernetesHttpApiClient(ACCOUNT.read_text(encoding="utf-8").strip())
        cluster = client.get(f"rayclusters/{name}")
        if not cluster["spec"].get("enableInTreeAutoscaling"):
            return Growth()
        return parse(autoscaling_config._derive_autoscaling_config_from_ray_cr(cluster))
    except Exception:  # noqa: BLE001  not in Kubernetes, no permission, or another version of KubeRay
        return Growth(known=False)


def _command_lines() -> Iterator[list[str]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # the process has ended meanwhile
            yield file.read_bytes().decode(errors="replace").split("\0")
