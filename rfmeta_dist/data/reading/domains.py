"""Check the domains of a run before its first step, without reading any label of the target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.within import domain_of
from rfmeta_dist.core.errors import DataError, RunError
from rfmeta_dist.core.types import SPLITS, Split
from rfmeta_dist.data.reading.parts import open_judged, open_source
from rfmeta_dist.data.reading.sizes import require_size
from rfmeta_dist.data.shards.manifest import CLASSES, GoneError, Head, Manifest, open_head, subjects
from rfmeta_dist.storage.store import Store, open_store

NONE: Mapping[str, str] = {}
MARK = 12  # digits of a fingerprint that messages show


def open_sources(config: Config, pinned: Mapping[str, str] = NONE) -> dict[str, Manifest]:
    """Open the manifests of the source domains and check that balanced batches can be made from them.

    The target's manifest is not opened.

    Args:
        config: the run's configuration.
        pinned: the fingerprints of the manifests that the run is pinned to, by domain. For a domain that is not
            in it, the newest manifest is opened.

    Raises:
        DataError: a domain is unknown or damaged, its pinned state was deleted, its training or validation
            split has one class only, or its crops are smaller than `data.image_size`.
        StorageError: the prefix cannot be read.
    """
    store = open_store(config.data.prefix)
    data = config.data
    manifests = {name: open_source(store, data, name, pinned.get(name)) for name in data.sources}
    for manifest in manifests.values():
        for split in ("train", "validation"):
            for label in (1, 0):
                manifest.stream(split, label)
        require_size(manifest, config.data.image_size, config.data.patches)
    return manifests


def target_of(config: Config) -> str:
    """Return the name of the domain that a run is judged on.

    Raises:
        RunError: the run has no target, so it cannot be judged.
    """
    if config.data.target is None:
        raise RunError(
            f"run {config.run.name} has no target (data.target), so there is no domain to judge it on",
            "give its `rfmeta train` command again with --set data.target=X, where X is a domain that is none "
            f"of its sources {', '.join(config.data.sources)}; this trains nothing again",
        )
    return config.data.target


def open_target(config: Config, pinned: Mapping[str, str] = NONE) -> Head:
    """Check that a run can be judged on its target: by the counts, the number of people and the size of crops.

    No label of a sample is read, so the target stays sealed. The function opens the pinned state of the domain,
    or the newest state if none is pinned or the pinned one was deleted. Of a run within a domain, the target is
    always in the state that the run trains on, because people could be in other parts in another state.

    Raises:
        DataError: the target is unknown or damaged, or cannot be judged on.
        RunError: the run has no target.
        StorageError: the prefix cannot be read.
    """
    store, name, split = open_store(config.data.prefix), target_of(config), target_split(config)
    if config.data.within:
        return _open_part(config, store, pinned)
    try:
        head = open_head(store, name, pinned.get(name))
    except GoneError:
        head = open_head(store, name)
    require_target(config, head)
    require_subjects(config, subjects(store, head, split))
    return head


def _open_part(config: Config, store: Store, pinned: Mapping[str, str]) -> Manifest:
    name = target_of(config)
    manifest = open_judged(store, config.data, name, pinned.get(domain_of(name)))
    require_target(config, manifest)
    require_subjects(config, subjects(store, manifest, target_split(config)))
    return manifest


def target_split(config: Config) -> Split | None:
    """Return the split of the target that is judged; None for all splits."""
    chosen = config.evaluation.target_split
    return None if chosen == "all" else chosen


def require_target(config: Config, head: Head) -> None:
    """Check that a target has both classes in the split that is judged, and crops that are large enough.

    Raises:
        DataError: a class is missing, or the crops are too small.
    """
    split = target_split(config)
    for label in (1, 0):
        if head.count(split, label) == 0:
            raise DataError(
                f"the target {head.domain} has no {CLASSES[label]} samples{_of(split)}, "
                "so error rates cannot be computed",
                f"set data.target to another domain, or {_other_split(head)}ingest the missing class",
            )
    require_size(head, config.data.image_size, config.data.patches)


def require_subjects(config: Config, people: int) -> None:
    """Check that the judged split of the target shows enough people for a confidence interval.

    Raises:
        DataError: the split shows fewer than two people.
    """
    if people < 2:
        raise DataError(
            f"the target {config.data.target} shows {people} subject{_of(target_split(config))}, "
            "and a confidence interval needs at least 2",
            "set data.target or evaluation.target_split to one with more people, or name the subject of every "
            "video and ingest the domain again",
        )


def resized(config: Config, heads: Iterable[Head]) -> list[str]:
    """Return a warning for each domain whose crops were resized by ingest, if the run cuts patches from crops.

    Args:
        config: the run's configuration.
        heads: the heads of its domains' manifests.
    """
    if config.data.patches is None:
        return []
    rules = {head.domain: head.contract.get("crop") for head in heads}
    return [
        f"ingest resized the crops of domain {name} to {rule['size']} pixels, so patches of them do not show "
        "the original pixels; to keep the original pixels, ingest the domain again with --size native"
        for name, rule in rules.items()
        if isinstance(rule, Mapping) and isinstance(rule.get("size"), int)
    ]


def news_of(config: Config, pinned: Mapping[str, str]) -> list[str]:
    """Return a line for each domain of a run that has newer data than the run reads, or that is not pinned.

    Args:
        config: the configuration of a run that was started before.
        pinned: the fingerprints of the manifests that the run is pinned to, by domain.

    Raises:
        StorageError: the prefix cannot be read.
    """
    store, lines = open_store(config.data.prefix), []
    for name in config.data.domains:
        try:
            newest = open_head(store, name).fingerprint
        except DataError:
            continue  # the code that reads the domain reports what is wrong with it
        if name not in pinned:
            lines.append(
                f"this run has no record of which data of domain {name} it reads, because it was started by an "
                f"earlier version or for another target; the newest data ({newest[:MARK]}) is used"
            )
        elif pinned[name] != newest:
            lines.append(
                f"domain {name} has newer data ({newest[:MARK]}), but this run keeps the data that it started "
                f"with ({pinned[name][:MARK]}); to use the newer data, start a new run with --set run.name=…"
            )
    return lines


def _of(split: Split | None) -> str:
    return f" in its split '{split}'" if split else ""


def _other_split(head: Head) -> str:
    """Return the remedy that names a split with both classes; empty if no split has both."""
    for split in (*SPLITS, None):
        if head.count(split, 0) and head.count(split, 1):
            return f"set evaluation.target_split={split or 'all'}, or "
    return ""
