"""Open the newest states of a retraining's domains, and count what in them is new to a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.types import LIVE, Split
from rfmeta_dist.data.shards.batches import batches_of
from rfmeta_dist.data.shards.manifest import CLASSES, GoneError, Head, Manifest, domains, open_head, versions
from rfmeta_dist.retrain.known import Known
from rfmeta_dist.storage.store import Store, open_store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FITTED: tuple[Split, ...] = ("train", "validation")  # the splits that a training needs both classes of


@dataclass(frozen=True)
class States:
    """The states of the domains that a challenger would be trained on.

    Attributes:
        store: the parent of the domains' folders.
        heads: the newest state of each domain, those of the base first.
        left_out: why a domain under the prefix does not take part, as sentences.
    """

    store: Store
    heads: Mapping[str, Head]
    left_out: tuple[str, ...] = ()

    @property
    def pins(self) -> dict[str, str]:
        """Return the fingerprint of each domain's state."""
        return {name: head.fingerprint for name, head in self.heads.items()}

    def manifests(self) -> dict[str, Manifest]:
        """Read the tables of all states."""
        return {name: Manifest.open(self.store, name, head.fingerprint) for name, head in self.heads.items()}


def newest(config: Retraining) -> States:
    """Open the newest state of each domain. Their tables are not read.

    Raises:
        DataError: a domain of the base is missing or damaged.
        StorageError: the prefix cannot be read.
    """
    data = config.base.data
    store = open_store(data.prefix)
    heads = {name: open_head(store, name) for name in data.domains}
    left_out = []
    for name in domains(store):
        if name in heads:
            continue
        head = open_head(store, name)
        lacking = [
            f"{CLASSES[label]} samples in its split '{split}'"
            for split in FITTED
            for label in (1, 0)
            if not head.count(split, label)
        ]
        if config.watch.new_domains == "ignore":
            left_out.append(f"domain {name} is left out, because watch.new_domains is ignore")
        elif lacking:
            left_out.append(f"domain {name} cannot be trained on: it has no {lacking[0]}")
        else:
            heads[name] = head
    return States(store, heads, tuple(left_out))


def lost(store: Store, pins: Mapping[str, str]) -> str:
    """Return which state is no longer stored, in words; "" if all are.

    Args:
        store: the parent of the domains' folders.
        pins: fingerprint of the state, by domain.

    Raises:
        StorageError: the store cannot be read.
    """
    for name, state in pins.items():
        try:
            there = bool(versions(store, name)) and open_head(store, name, state)
        except GoneError:
            there = False
        if not there:
            return (
                f"the state {state[:12]} of domain {name} under {store.url}, which this attempt began with, "
                "was deleted, for example by `rfmeta shards forget`"
            )
    return ""


@dataclass
class New:
    """What is new to a model in the states of some domains. Videos are counted, not frames.

    Attributes:
        videos: number of new videos that count: those of reviewed batches, and those in no batch.
        waiting: number of new videos of batches that were not reviewed yet, by `domain/batch`.
        types: new videos that count, by attack type or `live`.
        batches: names of the batches with new samples, by domain.
        known_types: attack types that the model knows.
    """

    videos: int = 0
    waiting: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    batches: dict[str, list[str]] = field(default_factory=dict)
    known_types: set[str] = field(default_factory=set)

    @property
    def new_types(self) -> dict[str, int]:
        """Return the new videos of each attack type that the model does not know."""
        return {kind: n for kind, n in sorted(self.types.items()) if kind not in self.known_types | {LIVE}}

    def add(self, manifest: Manifest, new: NDArray[np.bool_]) -> None:
        """Count the new samples of a domain.

        Args:
            manifest: the domain's state.
            new: for each row of its table of samples, whether it is new.
        """
        table = manifest.samples
        self.known_types |= set(table["attack_type"].filter(_array(~new)).unique().to_pylist())
        names = ["video_id", "attack_type"] + (["batch"] if "batch" in table.column_names else [])
        rows = table.filter(_array(new)).select(names).to_pylist()
        facts = batches_of(manifest)
        for _, kind, batch in {(row["video_id"], row["attack_type"], row.get("batch") or "") for row in rows}:
            if batch and not facts[batch].reviewed:
                self.waiting[f"{manifest.domain}/{batch}"] += 1
            else:
                self.videos += 1
                self.types[kind] += 1
        if found := sorted({row.get("batch") or "" for row in rows} - {""}):
            self.batches[manifest.domain] = found


def new_to(known: Known, pins: Mapping[str, str], states: States) -> New:
    """Count what is new to a model.

    Args:
        known: the samples that the model knows.
        pins: fingerprints of the states that it was trained on. A domain that is still in its state is skipped
            if no other has changed, because then nothing is new and no attack type needs to be known.
        states: the newest states.
    """
    found = New()
    if all(pins.get(name) == mark for name, mark in states.pins.items()):
        return found
    for manifest in states.manifests().values():
        found.add(manifest, known.new_in(manifest))
    return found


def _array(mask: NDArray[np.bool_]) -> object:
    import pyarrow as pa

    return pa.array(mask)
