"""Define `Sources`, the domains that a recipe is fitted on. The type has no place for a target domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.data.reading.parts import open_source
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.runs import pins
from rfmeta_dist.storage.store import Store, open_store


class SealedError(RunError):
    """A training asked for samples of a domain that is none of its sources, such as its target."""


def require_source(domain: str, sources: Iterable[str]) -> None:
    """Check that a training may read a domain.

    Args:
        domain: the domain that is asked for.
        sources: the domains that the training was given.

    Raises:
        SealedError: it was not given this domain.
    """
    if domain not in sources:
        raise SealedError(
            f"training asked for {domain}, which is none of its sources {', '.join(sorted(sources))}, so "
            "it stays sealed",
            "train on data.sources alone; `rfmeta evaluate` reads the target when training has ended",
        )


@dataclass(frozen=True)
class Sources:
    """The source domains of a run.

    Attributes:
        store: the store that holds the domains.
        manifests: the manifest of each source, in the order of the configuration. The target is not among them;
            of a run within a domain, they lack the samples of the protocol's test part.
    """

    store: Store
    manifests: Mapping[str, Manifest]

    @classmethod
    def of(cls, config: Config, folder: Store | None = None) -> Sources:
        """Open the sources of a run in the states that the run is pinned to.

        Args:
            config: the run's configuration.
            folder: the run's folder, which holds the pinned fingerprints; if None, the newest states are
                opened.

        Raises:
            DataError: a source is unknown or damaged, or its pinned state was deleted.
            StorageError: the prefix cannot be read.
        """
        return cls.pinned(config, pins.read(folder) if folder else {})

    @classmethod
    def pinned(cls, config: Config, states: Mapping[str, str]) -> Sources:
        """Open the sources of a run in given states, as `of` does.

        Args:
            config: the run's configuration.
            states: fingerprints of manifests by domain. For a source that is not in it, the newest is opened.
        """
        store, data = open_store(config.data.prefix), config.data
        return cls(store, {name: open_source(store, data, name, states.get(name)) for name in data.sources})
