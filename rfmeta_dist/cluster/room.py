"""Find out whether the cluster can hold the processes of a command: now, later or never.

If no machine has the resources asked for, Ray waits for ever and prints nothing, so every command checks first.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import ray
from ray.util.placement_group import placement_group, remove_placement_group

from rfmeta_dist.cluster.autoscaler import Growth, growth
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ClusterError

PATIENCE_S = 5.0  # seconds before the first message about waiting
REMINDER_S = 60.0  # seconds between the messages after it
PROBE = "rfmeta-room-"  # begins the names of placement groups that only test whether there is room
LOG = logging.getLogger(__name__)  # Python prints its warnings on stderr if logging is not configured

Resources = Mapping[str, float]
SLOT: Resources = {"CPU": 1}


@dataclass(frozen=True)
class Ask:
    """A request for processes, which a command makes to the cluster.

    Attributes:
        what: the work, such as "training of a"; begins the message.
        each: resources of one process, which a single machine must have.
        count: number of processes that run at the same time.
        remedy: what the user can do if the cluster can never hold the processes.
    """

    what: str
    each: Resources
    count: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.count} process(es) with {_words(self.each)} each"


def wait_for_room(ask: Ask, say: Callable[[str], None] = LOG.warning, limit_s: float = math.inf) -> None:
    """Wait until the cluster has room for the requested processes, and tell the user what is missing.

    The request makes an autoscaler add machines. Nothing stays reserved afterwards.

    Args:
        ask: the request.
        say: called with each message for the user.
        limit_s: seconds to wait at most.

    Raises:
        ClusterError: the cluster can never hold the processes, even with all machines that its autoscaler may
            add, or the time is up.
    """
    now, more = _held(_machines(), ask.each), None
    if now < ask.count:
        more = growth()
        if more.known and _limit(ask.each, more) < ask.count:
            raise ClusterError(f"{ask.what} needs {ask}, but {_has(ask.each, more)}", ask.remedy)
    # The name must be unique, or Ray refuses the group.
    group = placement_group([dict(ask.each)] * ask.count, strategy="PACK", name=PROBE + uuid4().hex)
    try:
        end, patience = time.monotonic() + limit_s, PATIENCE_S
        # Ray drops the fraction of a second, so round up.
        while not group.wait(max(0, math.ceil(min(patience, end - time.monotonic())))):
            if time.monotonic() >= end:
                raise late(ask, limit_s)
            more, patience = more or growth(), REMINDER_S
            until = "" if math.isinf(limit_s) else f"; the wait ends after {limit_s:.0f} s"
            say(f"waiting for {ask}, which {ask.what} needs: {_has(ask.each, more)}{until}")
    finally:
        remove_placement_group(group)


def late(ask: Ask, limit_s: float) -> ClusterError:
    """Return the error of a training whose workers did not get their slots within `limit_s` seconds."""
    return ClusterError(
        f"{ask.what} waited {limit_s:.0f} s for {missing(ask)}",
        "add nodes, or set training.workers lower or training.wait_s higher, then start the same run again; "
        "it resumes",
    )


def missing(ask: Ask) -> str:
    """Return which workers lack a slot, such as "1 of 2 workers: the cluster has 1 free slot(s) of 1 CPU"."""
    fits = _fits(ray.available_resources(), ask.each)
    # The free resources are a sum over nodes. A slot may not fit on any single one, so report at least one.
    return (
        f"{max(1, ask.count - fits)} of {ask.count} workers: the cluster has {fits} free slot(s) of "
        f"{_words(ask.each)}"
    )


def most(each: Resources) -> int:
    """Return how many processes fit on the cluster at the same time, with all that its autoscaler may add."""
    now, more = _held(_machines(), each), growth()
    return max(now, int(_limit(each, more))) if more.known else now


def for_training(config: Config) -> Ask:
    """Return the request for the workers of a run."""
    training = config.training
    remedy = f"set training.workers lower, or give --slots {training.workers}, or use a larger cluster"
    if training.gpus:
        remedy = (
            "set training.gpus=0 to train on CPUs, or training.workers lower, or use a cluster with more GPUs"
        )
    return Ask(
        f"training of {config.run.name}",
        {**SLOT, **({"GPU": training.gpus} if training.gpus else {})},
        training.workers,
        remedy,
    )


def for_judging(config: Config, say: Callable[[str], None] = LOG.warning) -> Ask:
    """Return the request for the process that finishes or judges the model of a run.

    A model that was trained on GPUs is judged on a CPU if the cluster has no GPU, because the model does not
    depend on the device. `say` is then called with a message for the user.
    """
    ask = for_tasks("judging")
    if not config.training.gpus or config.method.facts.kind == "features":
        return ask
    with_gpu = replace(ask, each={**SLOT, "GPU": config.training.gpus})
    if most(with_gpu.each):
        return with_gpu
    say(f"no machine of the cluster has a GPU: the model of {config.run.name} is judged on a CPU")
    return ask


def workers_for(what: str, given: int | None) -> int:
    """Wait until one process with a CPU has room, and return how many to start: `given`, or all that have room.

    Raises:
        ClusterError: no machine has a CPU.
    """
    wait_for_room(for_tasks(what))
    return given or max(1, most(SLOT))


def for_tasks(what: str) -> Ask:
    """Return the request for one process with one CPU, which is enough for work that can be divided freely."""
    return Ask(what, SLOT, 1, "use a cluster in which at least one machine gives Ray a CPU")


def _machines() -> list[Resources]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _held(machines: Iterable[Resources], each: Resources) -> int:
    """Return how many processes fit on some machines if nothing else runs there."""
    return sum(_fits(machine, each) for machine in machines)


def _fits(machine: Resources, each: Resources) -> int:
    return min(int(machine.get(name, 0) // amount) for name, amount in each.items() if amount)


def _limit(each: Resources, more: Growth) -> float:
    """Return how many processes fit on the head and the machines that may be added; infinity if unknown."""
    if not more.known:
        return math.inf
    head = [machine for machine in _machines() if "node:__internal_head__" in machine]
    return _held(head, each) + sum(
        sorted((_fits(m, each) for m in more.machines), reverse=True)[: more.at_most]
    )


def _has(each: Resources, more: Growth) -> str:
    """Return a text that says what the cluster has of the resources, and what may be added."""
    machines = _machines()
    have = _total(machines, each)
    free = {name: ray.available_resources().get(name, 0) for name in each}
    text = f"the cluster has {_words(have)} on {len(machines)} machine(s), {_words(free)} free"
    if not more.known:
        return text + "; it is not known which machines can be added"
    if more.at_most:
        added = _words(_total(more.machines, each))
        text += f"; its autoscaler may run up to {more.at_most} machine(s) beside the head, with {added}"
    return text


def at_once(runs: Sequence[Config], say: Callable[[str], None] = LOG.warning) -> int:
    """Return how many runs the cluster can hold at the same time, with all that its autoscaler may add.

    Raises:
        ClusterError: it can never hold even one, or has no slots for one within `training.wait_s` seconds.
    """
    # Most runs need the same resources. Ask once for each need, because a question starts a task on the head.
    asks = list({(tuple(sorted(ask.each.items())), ask.count): ask for ask in map(for_training, runs)}.values())
    largest = max(asks, key=lambda ask: (sum(ask.each.values()), ask.count))
    wait_for_room(largest, say, max(run.training.wait_s for run in runs))
    return max(1, min(most(ask.each) // ask.count for ask in asks))


def _total(machines: Iterable[Resources], each: Resources) -> Resources:
    held = list(machines)
    return {name: sum(machine.get(name, 0) for machine in held) for name in each}


def _words(resources: Resources) -> str:
    return " and ".join(f"{amount:g} {name}{'' if amount == 1 else 's'}" for name, amount in resources.items())
