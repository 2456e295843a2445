"""Find out whether the cluster can hold the processes of a command: now, later or never.

If no machine has the resources asked for, Ray waits for ever and prints nothing, so every command checks first.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from rfmeta_dist.cluster.autoscaler import Growth, growth
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError

PATIENCE_S = 5.0  # before the first line about waiting
REMINDER_S = 60.0  # between the lines after it
LOG = logging.getLogger(__name__)  # its warnings reach stderr, whatever the program

Resources = Mapping[str, float]
SLOT: Resources = {"CPU": 1}


@dataclass(frozen=True)
class Ask:
    """The processes that a command asks the cluster for.

    Attributes:
        what: the work, such as "training"; begins the message.
        each: resources of one process; one machine must have all of them.
        count: processes at the same time.
        remedy: what to do if the cluster can never hold them.
    """

    what: str
    each: Resources
    count: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.count} process(es) with {_words(self.each)} each"


def wait_for_room(ask: Ask) -> None:
    """Wait until the cluster has room for what is asked for, and log what is waited for.

    The autoscaler, if there is one, is made to add machines. Nothing stays reserved afterwards.

    Raises:
        ClusterError: the cluster can never hold it, with all that its autoscaler may add.
    """
    now, more = _held(_machines(), ask.each), None
    if now < ask.count:
        more = growth()
        if more.known and _limit(ask.each, more) < ask.count:
            raise ClusterError(f"{ask.what} needs {ask}, and {_has(ask.each, more)}", ask.remedy)
    group = placement_group([dict(ask.each)] * ask.count, strategy="PACK")
    try:
        started = told = time.monotonic()
        while not group.wait(PATIENCE_S if told == started else REMINDER_S):
            told = time.monotonic()
            more = more or growth()
            LOG.warning("waiting for %s, which %s needs: %s", ask, ask.what, _has(ask.each, more))
    finally:
        remove_placement_group(group)


def most(each: Resources) -> int:
    """Return how many processes the cluster can hold at a time, with all that its autoscaler may add."""
    now, more = _held(_machines(), each), growth()
    return max(now, int(_limit(each, more))) if more.known else now


def for_training(config: Config) -> Ask:
    """Return what the workers of one run ask for."""
    training = config.training
    remedy = f"set training.workers lower, or give --slots {training.workers} or a larger cluster"
    if training.gpus:
        remedy = (
            "set training.gpus=0 to train on CPUs, or training.workers lower, or use a cluster with more GPUs"
        )
    return Ask(
        "training", {**SLOT, **({"GPU": training.gpus} if training.gpus else {})}, training.workers, remedy
    )


def for_judging(config: Config) -> Ask:
    """Return what the process asks for that finishes or judges the run's model.

    A model of GPUs is judged on a CPU where the cluster has no GPU: the device is no part of what was trained.
    """
    ask = for_tasks("judging")
    if not config.training.gpus:
        return ask
    with_gpu = replace(ask, each={**SLOT, "GPU": config.training.gpus})
    if most(with_gpu.each):
        return with_gpu
    LOG.warning("no machine of the cluster has a GPU: the model of %s is judged on a CPU", config.run.name)
    return ask


def workers_for(what: str, given: int | None) -> int:
    """Wait until a process with a CPU has room; return how many to use: those given, or all that have room.

    Raises:
        ClusterError: no machine has a CPU.
    """
    wait_for_room(for_tasks(what))
    return given or max(1, most(SLOT))


def for_tasks(what: str) -> Ask:
    """Return what is asked for by work that any number of processes can do: one process with a CPU."""
    return Ask(what, SLOT, 1, "use a cluster in which at least one machine gives Ray a CPU")


def _machines() -> list[Resources]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _held(machines: Iterable[Resources], each: Resources) -> int:
    """Return how many processes fit on some machines if nothing else is there."""
    return sum(_fits(machine, each) for machine in machines)


def _fits(machine: Resources, each: Resources) -> int:
    return min(int(machine.get(name, 0) // amount) for name, amount in each.items() if amount)


def _limit(each: Resources, more: Growth) -> float:
    """Return how many processes fit on the head and all that may be added to it; infinite if unknown."""
    if not more.known:
        return math.inf
    head = [machine for machine in _machines() if "node:__internal_head__" in machine]
    return _held(head, each) + sum(
        sorted((_fits(m, each) for m in more.machines), reverse=True)[: more.at_most]
    )


def _has(each: Resources, more: Growth) -> str:
    """Say what the cluster has of the resources, and what may be added."""
    machines = _machines()
    have = _total(machines, each)
    free = {name: ray.available_resources().get(name, 0) for name in each}
    text = f"the cluster has {_words(have)} on {len(machines)} machine(s), {_words(free)} free"
    if not more.known:
        return text + "; what can be added to it is not known"
    if more.at_most:
        added = _words(_total(more.machines, each))
        text += f"; its autoscaler may run up to {more.at_most} machine(s) beside the head, with {added}"
    return text


def _total(machines: Iterable[Resources], each: Resources) -> Resources:
    held = list(machines)
    return {name: sum(machine.get(name, 0) for machine in held) for name in each}


def _words(resources: Resources) -> str:
    return " and ".join(f"{amount:g} {name}{'' if amount == 1 else 's'}" for name, amount in resources.items())
