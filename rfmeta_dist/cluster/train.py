"""`rfmeta train` and `rfmeta evaluate`: a run from its configuration to its model, and on to its figures."""

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
    """A run whose domains are fit for it.

    Attributes:
        folder: the run's.
        manifests: of the sources, in the state that the run reads; none if its model is there already.
        pins: the fingerprint of the manifest to read, for each domain.
        deleted: the target, if the state that it was pinned to is no longer stored.
        notes: what the user should know, a line each.
    """

    folder: Store
    manifests: dict[str, Manifest]
    pins: dict[str, str]
    deleted: tuple[str, ...]
    notes: list[str]


def look(config: Config, chosen: Mapping[str, str] | None = None) -> Prepared:
    """Check the domains of a run, and that its folder is free or its own; nothing is written.

    It needs no Ray, so that a mistake shows before Ray starts.

    Args:
        config: the run's.
        chosen: fingerprints of the manifests to read, by domain, where the run is not pinned yet; the newest of
            any other domain.

    Raises:
        RfmetaError: a domain is unfit, or the folder belongs to another run.
    """
    folder = runs.open_folder(config)
    started = runs.is_started(folder, config)
    # Runs that are compared are pinned before they start.
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
        f"the data of target {name} that this run was to read was deleted; the newest is used"
        for name in deleted
    ]
    notes += _changes(folder, config) if started else []
    notes += domains.resized(config, [*manifests.values(), target])
    return Prepared(folder, manifests, whole, deleted, notes)


def _changes(folder: Store, config: Config) -> list[str]:
    """Say what of an earlier start of the run is corrected by this one, a line each."""
    changed, notes = set(runs.corrections(folder, config)), []
    if "data.prefix" in changed:
        notes.append(f"the run reads its data from {config.data.prefix} from now on")
    if changed - {"data.prefix"}:
        split = config.evaluation.target_split
        notes.append(f"the run is judged on {config.data.target} (split: {split}) from now on")
    return notes


def prepare(config: Config) -> Prepared:
    """Check the domains, take the run's folder and pin the data. Call it while the folder's lease is held.

    It needs no Ray. An earlier start of the run is gone on with; if it was to be judged on another target, its
    configuration is corrected.

    Raises:
        RfmetaError: a domain is unfit, or the folder cannot be written or belongs to another run.
    """
    found = look(config)
    folder = found.folder
    first = not runs.claim(folder, config)
    if not pins.add(folder, found.pins, replace=found.deleted).items() >= found.pins.items():
        raise RunError(
            f"run {folder.url} was started by two processes at the same moment, on different data",
            "give the same command again: it then reads the data that the first process chose",
        )
    if first:
        for name, manifest in found.manifests.items():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(folder, "training", name, "train", samples, manifest.fingerprint, sealed=False)
    else:
        runs.correct(folder, config)
    return found


def pin_together(configs: Sequence[Config]) -> list[str]:
    """Check the domains of runs that will be compared, and pin all of them to the same state of each domain.

    Runs that are pinned already decide; the newest state is read of a domain that no run is pinned to. Without
    it, runs that start before and after data have landed would differ in their data.

    Returns:
        What the user should know, a line each.

    Raises:
        RfmetaError: a domain is unfit, or the folder of a run belongs to another.
    """
    chosen: dict[str, str] = {}
    notes: list[str] = []
    for config in configs:
        folder = runs.open_folder(config)
        runs.is_started(folder, config)
        for name, state in pins.read(folder).items():
            if chosen.setdefault(name, state) != state:
                notes.append(f"run {config.run.name} reads another state of domain {name} than the others")
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
    """Train to the last step, or go on from the newest whole checkpoint, then finish the model on its sources.

    A run that has its model is only corrected, for which Ray need not be running.

    Args:
        config: the run.
        on_news: called with every step's row, unless a monitor is given.
        on_notice: called with every line for people, unless a monitor is given.
        monitor: an actor that somebody else watches; its rows are labelled with the run's name.
        local: whether the cluster is our own (see session.py).

    Returns:
        The run's folder; it holds a model.

    Raises:
        RunError: another process is training this run.
        RfmetaError: of every other kind; the run can be started again and resumes.
    """
    folder = runs.open_folder(config)
    runs.is_started(folder, config)  # raises if the folder is another run's, in which no lease is written then
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
    """Judge a finished run on its sealed target on a cluster; return the content of evaluation.json.

    A run that was trained on GPUs is judged on a CPU if the cluster has no GPU. Without a cluster,
    `judging.evaluate_here` does the same.

    Args:
        config: the run.
        folder: its folder.
        on_notice: called with every line for people.

    Raises:
        RunError: another process is training or judging this run; both would write its ledger.
        RfmetaError: of every other kind.
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
    """Call `work` with configuration, folder, what is given and a device, in a process on any machine."""
    ask = room.for_judging(config, say)
    room.wait_for_room(ask, say)
    gpus = ask.each.get("GPU", 0)
    # A Tune trial that calls holds no slots for its children: they are scheduled on their own.
    task = ray.remote(num_cpus=1, num_gpus=gpus, scheduling_strategy="DEFAULT")(worker.judge)
    return got(task.remote(work, config, folder, right.token, *given, "cuda" if gpus else "cpu"))


def _fit(task: worker.Assignment, folder: Store, say: Callable[[str], None], local: bool) -> None:
    for left in ("checkpoint_manager_snapshot.json", ".validate_storage_marker"):
        folder.delete(left)  # Ray's, from a start by an earlier version
    failure: RfmetaError | None = None
    try:
        fit(task, folder, say, local=local)
    except RfmetaError as error:
        failure = error
    try:
        runs.add_streams(folder, streams.totals(task.actors))
    except StorageError as error:
        failure = failure or error  # what ended the run is what there is to tell
    if failure is not None:
        raise failure
