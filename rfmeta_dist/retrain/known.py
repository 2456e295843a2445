"""Say which samples a model knows, so that new samples can be told from it even if others were erased since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rfmeta_dist.core.digests import digest
from rfmeta_dist.core.errors import RunError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfmeta_dist.data.shards.manifest import Manifest

    Hashes = NDArray[np.uint64]

_BYTES = 8  # of a SHA-256; among a million samples, two differ and agree in them with a chance of 3e-8
# A sample with another image, label, attack type or split is another sample. Its place in a shard is no part of
# it, and neither is the name of its person.
_COLUMNS = ("split", "attack_type", "label", "sha256_image")


@dataclass(frozen=True, eq=False)
class Known:
    """A set of samples.

    Attributes:
        hashes: sorted 8-byte hashes of the samples, each once.
    """

    hashes: Hashes

    @classmethod
    def of(cls, manifests: Iterable[Manifest]) -> Known:
        """Return all samples of some states of domains."""
        return cls(np.unique(np.concatenate([np.array([], np.uint64), *map(hashes, manifests)])))

    @classmethod
    def parse(cls, data: bytes, where: str) -> Known:
        """Return the set that `to_bytes` has written.

        Raises:
            RunError: the content is damaged.
        """
        if len(data) % _BYTES:
            raise RunError(f"{where} is damaged: it was cut off", "restore it from a copy")
        return cls(np.frombuffer(data, ">u8").astype(np.uint64))

    def to_bytes(self) -> bytes:
        """Return the hashes, 8 bytes each."""
        return self.hashes.astype(">u8").tobytes()

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the set, in hex."""
        return digest(self.to_bytes())

    def covers(self, other: Known) -> bool:
        """Return True if all samples of another set are in this one."""
        return bool(np.isin(other.hashes, self.hashes, assume_unique=True).all())

    def new_in(self, manifest: Manifest) -> NDArray[np.bool_]:
        """Return for each row of the table of samples whether it is not in this set."""
        return ~np.isin(hashes(manifest), self.hashes)


NOTHING = Known(np.array([], np.uint64))


def hashes(manifest: Manifest) -> Hashes:
    """Return a hash for each row of a manifest's table of samples."""
    columns = [manifest.samples[name].to_pylist() for name in _COLUMNS]
    domain = manifest.domain
    parts = b"".join(
        hashlib.sha256(f"{domain}\0{split}\0{kind}\0{label}\0".encode() + image).digest()[:_BYTES]
        for split, kind, label, image in zip(*columns, strict=True)
    )
    return np.frombuffer(parts, ">u8").astype(np.uint64)
