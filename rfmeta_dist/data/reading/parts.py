"""Open the part of a domain that a run may read: all of it, or the parts of an official protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfmeta_dist.config.within import domain_of, protocol_of
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import Split
from rfmeta_dist.data.shards.manifest import GoneError, Manifest
from rfmeta_dist.data.shards.membership import folds_of, renamed, restricted
from rfmeta_dist.storage.store import Store, open_store

if TYPE_CHECKING:
    from rfmeta_dist.config.schema import Data

FITTED: tuple[Split, ...] = ("train", "validation")  # what training and the choice of thresholds may read
JUDGED: tuple[Split, ...] = ("test",)


def open_source(store: Store, data: Data, name: str, fingerprint: str | None = None) -> Manifest:
    """Open a source domain. For a run within a domain, the result lacks all samples of the test part.

    Args:
        store: the parent of the domains' folders.
        data: the run's `data` section.
        name: name of the domain.
        fingerprint: fingerprint of the state to read; None for the newest state.

    Raises:
        DataError: the domain is unknown or damaged, or the protocol cannot be used (see `restricted`).
        StorageError: the store cannot be read.
    """
    manifest = Manifest.open(store, name, fingerprint)
    if data.within is None:
        return manifest
    return restricted(manifest, protocol_of(data.within), FITTED)


def open_judged(store: Store, data: Data, name: str, fingerprint: str | None = None) -> Manifest:
    """Open the target. For a run within a domain, it is the test part, and its samples have the target's name.

    Arguments and errors are those of `open_source`. For another run, GoneError says that the state was deleted.
    """
    try:
        manifest = Manifest.open(store, domain_of(name), fingerprint)
    except GoneError as error:
        if data.within is None:
            raise
        # In another state of the domain, people that the run has trained on may be in the test part.
        raise DataError(error.problem, error.remedy) from error
    if data.within is None:
        return manifest
    return renamed(restricted(manifest, protocol_of(data.within), JUDGED), name)


def folds(data: Data) -> list[str]:
    """Return the folds of a run's protocol as values of `data.within`: `O/3_1`, … for `O/3`.

    A protocol without folds is returned alone.

    Args:
        data: a `data` section with the field `within`.

    Raises:
        DataError: the domain is unknown or damaged, or has no such protocol.
        StorageError: the prefix cannot be read.
    """
    assert data.within is not None
    domain = domain_of(data.within)
    manifest = Manifest.open(open_store(data.prefix), domain)
    return [f"{domain}/{fold}" for fold in folds_of(manifest, protocol_of(data.within))]
