"""Check a run's domains and its folder, claim the folder and pin the data. Neither Ray nor torch is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError, RunError
from rfmeta_dist.data.reading import domains
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.detectors import start
from rfmeta_dist.detectors.start import Start
from rfmeta_dist.runs import folder as runs
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store


class Prepared(NamedTuple):
    """A run whose domains have been checked.

    Attributes:
        folder: the run's folder.
        manifests: manifests of the sources that the run reads; empty if the run has a model already.
        pins: the fingerprint of the manifest to read, for each domain.
        deleted: the target's name, if the data that the run was pinned to was deleted; empty otherwise.
        notes: messages for the user.
        start: what the run records of the model that it begins with; None if it begins with random weights.
    """

    folder: Store
    manifests: dict[str, Manifest]
    pins: dict[str, str]
    deleted: tuple[str, ...]
    notes: list[str]
    start: Start | None = None


def look(config: Config, chosen: Mapping[str, str] | None = None) -> Prepared:
    """Check the domains of a run, and that its folder is free or belongs to it. Nothing is written.

    This needs no Ray, so mistakes are reported before Ray starts.

    Args:
        config: the run's.
        chosen: fingerprints of the manifests to read, by domain, where the run is not pinned yet. The newest
            manifest is read for a domain that is in neither.

    Raises:
        RfmetaError: a domain or the model at `training.start` cannot be used for the run, or the folder belongs
            to another run.
    """
    folder = runs.open_folder(config)
    started = runs.is_started(folder, config)
    # The runs of a leave-one-out are pinned before they start.
    held = pins.read(folder) if started or folder.exists(pins.FILE) else {}
    pinned = {**(chosen or {}), **held}
    trained = folder.exists(runs.MODEL)
    begin = start.look(config, folder, begun=trained or runs.has_checkpoint(folder))
    manifests = {} if trained else domains.open_sources(config, pinned)
    opened = {**pinned, **{name: m.fingerprint for name, m in manifests.items()}}
    targets = [] if config.data.target is None else [domains.open_target(config, opened)]
    judged = {target.domain: target.fingerprint for target in targets}
    whole = {**pinned, **{name: m.fingerprint for name, m in manifests.items()}, **judged}
    deleted = tuple(name for name, state in judged.items() if pinned.get(name, state) != state)
    notes = domains.news_of(config, {**pinned, **judged}) if started else []
    notes += [
        f"the data of target {name} that this run was to read was deleted; the newest data is used instead"
        for name in deleted
    ]
    notes += _changes(folder, config) if started else []
    notes += domains.resized(config, [*manifests.values(), *targets])
    return Prepared(folder, manifests, whole, deleted, notes, begin)


def _changes(folder: Store, config: Config) -> list[str]:
    """Return a message for each setting of an earlier start of the run that this start changes."""
    changed, notes = set(runs.corrections(folder, config)), []
    if "data.prefix" in changed:
        notes.append(f"the run reads its data from {config.data.prefix} from now on")
    if config.data.target is None:
        if "data.target" in changed:
            notes.append("the run has no target from now on; its ledger keeps the reads of earlier targets")
    elif changed & {"data.target", "evaluation.target_split"}:
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
    if found.start:
        start.add(folder, found.start)
    if first:
        for name, manifest in found.manifests.items():
            samples = sum(s.samples for s in manifest.shards if s.split == "train")
            runs.record(
                folder, "training", name, manifest.part("train"), samples, manifest.fingerprint, sealed=False
            )
    else:
        runs.correct(folder, config)
    return found


def pin_together(configs: Sequence[Config], lost: dict[str, RfmetaError] | None = None) -> list[str]:
    """Check the domains of runs that will be compared, and pin all runs to the same manifest of each domain.

    If a run is pinned already, the others follow it; otherwise the newest manifest is chosen. Without this,
    runs that start before and after new data are published would train on different data.

    Args:
        configs: the runs.
        lost: if given, the error of a run that cannot be used is added here by the run's name, and the others
            are pinned all the same.

    Returns:
        Messages for the user.

    Raises:
        RfmetaError: a domain cannot be used, or the folder of a run belongs to another run.
    """
    chosen: dict[str, str] = {}
    notes: list[str] = []
    able = []
    for config in configs:
        with _kept(config, lost):
            folder = runs.open_folder(config)
            runs.is_started(folder, config)
            for name, state in pins.read(folder).items():
                if chosen.setdefault(name, state) != state:
                    notes.append(
                        f"run {config.run.name} was started on other data of domain {name} than the other runs"
                    )
            able.append(config)
    for config in able:
        with _kept(config, lost):
            found = look(config, chosen)
            chosen = {**found.pins, **chosen}
            notes += found.notes
            require_put_if_absent(found.folder)
            pins.add(found.folder, found.pins, replace=found.deleted)
            if found.start:
                start.add(found.folder, found.start)
    return list(dict.fromkeys(notes))


@contextmanager
def _kept(config: Config, lost: dict[str, RfmetaError] | None) -> Iterator[None]:
    """Keep an error about a run instead of raising it, if `lost` is given."""
    try:
        yield
    except RfmetaError as error:
        if lost is None:
            raise
        lost[config.run.name] = error
