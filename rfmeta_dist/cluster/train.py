"""`rfmeta train` and `rfmeta evaluate`: train the model of a configuration, and judge it on its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import ray

from rfmeta_dist.cluster import judging, room, streams, worker
from rfmeta_dist.cluster import monitor as monitors
from rfmeta_dist.cluster.errors import got
from rfmeta_dist.cluster.fit import fit
from rfmeta_dist.cluster.monitor import News
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError, RunError, StorageError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import pins
from rfmeta_dist.runs.fingerprint import fingerprint, first_fingerprint
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store
from rfmeta_dist.training import checkpoint, kept, trend


class Prepared(NamedTuple):
    """A run whose domains have been checked.

    Attributes:
        folder: the run's folder.
        manifests: manifests of the sources that the run reads; empty if the run has a model already.
        pins: the fingerprint of the manifest to read, for each domain.
        deleted: the target's name, if the data that the run was pinned to was deleted; empty otherwise.
        notes: messages for the user.
    """

    folder: Store
    manifests: dict[str, Manifest]
    pins: dict[str, str]
    deleted: tuple[str, ...]
    notes: list[str]


def look(config: Config, chosen: Mapping[str, str] | None = None) -> Prepared:
    """Check the domains of a run, and that its folder is free or belongs to it. Nothing is written.

    This needs no Ray, so mistakes are reported before Ray starts.

    Args:
        config: the run's.
        chosen: fingerprints of the manifests to read, by domain, where the run is not pinned yet. The newest
            manifest is read for a domain that is in neither.

    Raises:
        RfmetaError: a domain cannot be used for the run, or the folder belongs to another run.
    """
    folder = runs.open_folder(config)
    started = runs.is_started(folder, config)
    # The runs of a leave-one-out are pinned before they start.
    held = pins.read(folder) if started or folder.exists(pins.FILE) else {}
    pinned = {**(chosen or {}), **held}
    trained = folder.exists(runs.MODEL)
    manifests = {} if trained else domains.open_sources(config, pinned)
    target = domains.open_target(config, pinned)
    whole = {**pinned, **{name: m.fingerprint for name, m in manifests.items()}}
    whole[target.domain] = target.fingerprint
    deleted = (target.domain,) if pinned.get(target.domain, target.fingerprint) != target.fingerprint else ()
    notes = domains.news_of(config, {**pinned, target.domain: target.fingerprint}) if started else []
    notes += [
        f"the data of target {name} that this run was to read was deleted; the newest data is used instead"
        for name in deleted
    ]
    notes += _changes(folder, config) if started else []
    notes += domains.resized(config, [*manifests.values(), target])
    return Prepared(folder, manifests, whole, deleted, notes)


def _changes(folder: Store, config: Config) -> list[str]:
    """Return a message for each setting of an earlier start of the run that this start changes."""
    changed, notes = set(runs.corrections(folder, config)), []
    if "data.prefix" in changed:
        notes.append(f"the run reads its data from {config.data.prefix} from now on")
    if changed - {"data.prefix"}:
        split = config.evaluation.target_split
        notes.append(f"the run is judged on {config.data.target} (split: {split}) from now on")
    return notes


def prepare(config: Config) -> Prepared:
    """Check the domains, claim the run's folder and pin the data. The caller holds the folder's lease.

    This needs no Ray. A run that was started before is continued, and a change of its target or of the
    place of its data is written to its configuration.

    Raises:
        RfmetaError: a domain cannot be used, or the folder cannot be written or belongs to another run.
    """
    found = look(config)
    folder = found.folder
    first = not runs.claim(folder, config)
    if not pins.add(folder, found.pins, replace=found.deleted).items() >= found.pins.items():
        raise RunError(
            f"run {folder.url} was started by two processes at the same moment with different data",
            "give the same command again, which then reads the data that the first process chose",
        )
    if first:
        for name, manifest in found.manifests.items():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(folder, "training", name, "train", samples, manifest.fingerprint, sealed=False)
    else:
        runs.correct(folder, config)
    return found


def pin_together(configs: Sequence[Config]) -> list[str]:
    """Check the domains of runs that will be compared, and pin all runs to the same manifest of each domain.

    If a run is pinned already, the others follow it; otherwise the newest manifest is chosen. Without this,
    runs that start before and after new data are published would train on different data.

    Returns:
        Messages for the user.

    Raises:
        RfmetaError: a domain cannot be used, or the folder of a run belongs to another run.
    """
    chosen: dict[str, str] = {}
    notes: list[str] = []
    for config in configs:
        folder = runs.open_folder(config)
        runs.is_started(folder, config)
        for name, state in pins.read(folder).items():
            if chosen.setdefault(name, state) != state:
                notes.append(
                    f"run {config.run.name} was started on other data of domain {name} than the other runs"
                )
    for config in configs:
        found = look(config, chosen)
        chosen = {**found.pins, **chosen}
        notes += found.notes
        require_put_if_absent(found.folder)
        pins.add(found.folder, found.pins, replace=found.deleted)
    return list(dict.fromkeys(notes))


def train_run(
    config: Config,
    on_news: Callable[[News], None],
    *,
    on_notice: Callable[[str], None] = monitors.log_notice,
    monitor: Any = None,
    local: bool = False,
) -> Store:
    """Train a run to its last step, from its newest intact checkpoint if there is one, and finish its model.

    To finish a model means to recalibrate it and to set its thresholds on the sources. If the run has a model
    already, only a change of its target is written to its configuration, and Ray need not run.

    Args:
        config: the run.
        on_news: called with the row of each step, unless a monitor is given.
        on_notice: called with each message for the user, unless a monitor is given.
        monitor: actor that the caller watches; rows are then labelled with the run's name, not the target's.
        local: whether this process started the cluster (see session.py).

    Returns:
        The run's folder, which holds a model.

    Raises:
        RunError: another process is training this run.
        RfmetaError: anything else failed. The same call continues the run.
    """
    folder = runs.open_folder(config)
    runs.is_started(folder, config)  # raises an error before a lease is written into another run's folder
    with lease.held(folder, "trained") as right, ExitStack() as stack:
        manifests = prepare(config).manifests
        if folder.exists(runs.MODEL):
            return folder
        trial = monitor is not None
        label = config.run.name if trial else config.data.target
        if not trial:
            monitor = monitors.start()
            stack.enter_context(monitors.watched(monitor, on_news, on_notice))

        def say(text: str) -> None:
            monitor.push.remote([{"label": label, monitors.NOTICE: text}])

        room.wait_for_room(room.for_training(config), say, config.training.wait_s)
        hashes = {name: manifest.fingerprint for name, manifest in manifests.items()}
        actors = streams.start(config, hashes)
        fingerprints = (fingerprint(config, hashes), first_fingerprint(runs.first_config(folder), hashes))
        task = worker.Assignment(config, fingerprints, actors, monitor, label, right.token)
        _fit(task, folder, say, local)
        lease.require(folder, right.token)
        last = kept.folder_name(config.training.steps)
        trained = checkpoint.read(folder.sub(last), config.training.steps)
        if line := trend.no_better(trained.progress.metrics):
            say(line)
        folder.write("metrics.jsonl", folder.read(f"{last}/metrics.jsonl"))
        if local and not trial and not config.training.gpus:
            judging.finish(
                config, folder, last, "cpu"
            )  # this process is waiting anyway, and has imported torch
        else:
            _judging(config, say, folder, right, judging.finish, last)
    return folder


def evaluate_run(
    config: Config, folder: Store, *, on_notice: Callable[[str], None] = monitors.log_notice
) -> dict[str, Any]:
    """Judge a trained run on its target domain, on a cluster, and return the content of evaluation.json.

    A run that was trained on GPUs is judged on a CPU if the cluster has no GPU. Without a cluster,
    `judging.evaluate_here` does the same.

    Args:
        config: the run.
        folder: the run's folder.
        on_notice: called with each message for the user.

    Raises:
        RunError: another process is training or judging this run, and both would write its ledger.
        RfmetaError: anything else failed.
    """
    with lease.held(folder, "judged") as right:
        result: dict[str, Any] = _judging(config, on_notice, folder, right, judging.evaluate)
    return result


def _judging(
    config: Config,
    say: Callable[[str], None],
    folder: Store,
    right: lease.Lease,
    work: Callable[..., Any],
    *given: Any,
) -> Any:
    """Call `work(config, folder, *given, device)` in a process on any machine of the cluster."""
    ask = room.for_judging(config, say)
    room.wait_for_room(ask, say)
    gpus = ask.each.get("GPU", 0)
    # If a Tune trial calls this, it has reserved no slots, so the task must not join its placement group.
    task = ray.remote(num_cpus=1, num_gpus=gpus, scheduling_strategy="DEFAULT")(worker.judge)
    return got(task.remote(work, config, folder, right.token, *given, "cuda" if gpus else "cpu"))


def _fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], local: bool) -> None:
    for left in ("checkpoint_manager_snapshot.json", ".validate_storage_marker"):
        folder.delete(left)  # Ray wrote this file in a start by an earlier version
    failure: RfmetaError | None = None
    try:
        fit(task, folder, say, local=local)
    except RfmetaError as error:
        failure = error
    try:
        runs.add_streams(folder, streams.totals(task.actors))
    except StorageError as error:
        failure = failure or error  # report the error that ended the run, if there was one
    if failure is not None:
        raise failure
