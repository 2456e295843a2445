"""The domains that a recipe may learn from, as a type that cannot hold a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rfmeta_dist.config.schema import Config
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.store import Store, open_store


@dataclass(frozen=True)
class Sources:
    """The source domains of a run.

    Attributes:
        store: holds them.
        manifests: of each, in the order of the configuration. A target is not among them.
    """

    store: Store
    manifests: Mapping[str, Manifest]

    @classmethod
    def of(cls, config: Config, folder: Store | None = None) -> Sources:
        """Open the sources of a run, in the state that it is pinned to.

        Args:
            config: the run's.
            folder: the run's; without it the newest states are opened.

        Raises:
            DataError: a source is unknown or damaged, or its pinned state was deleted.
            StorageError: the prefix cannot be read.
        """
        store, pinned = open_store(config.data.prefix), pins.read(folder) if folder else {}
        return cls(store, {name: Manifest.open(store, name, pinned.get(name)) for name in config.data.sources})
