"""Randomness as a pure function of its arguments, so that nothing random needs to be saved or broadcast.

Everything derives from SHA-256 of the arguments and the raw bits of Philox, which numpy keeps stable
across versions (the methods of `numpy.random.Generator` carry no such promise).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Part = int | str


def _digest(parts: tuple[Part, ...]) -> bytes:
    # repr keeps 1 and "1" apart, and the tuple's commas keep ("ab", "c") and ("a", "bc") apart.
    return hashlib.sha256(repr(parts).encode()).digest()


def seed(*parts: Part) -> int:
    """A 63-bit non-negative seed from any integers and strings."""
    return int.from_bytes(_digest(parts)[:8], "big") >> 1


def permutation(n: int, *parts: Part) -> NDArray[np.int64]:
    """A permutation of 0 … n−1 that depends on `parts` alone.

    The same on every machine, process and numpy version: a stable argsort of raw Philox bits.
    """
    import numpy as np

    bits = np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")).random_raw(n)
    return np.argsort(bits, kind="stable")


def generator(*parts: Part) -> np.random.Generator:
    """A numpy generator that depends on `parts` alone (stable within one numpy version)."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")))


def octets(n: int, *parts: Part) -> NDArray[np.uint8]:
    """Return n evenly drawn bytes that depend on `parts` alone: raw Philox bits, the same on every machine."""
    import numpy as np

    words = np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")).random_raw(-(-n // 8))
    drawn: NDArray[np.uint8] = words.astype("<u8", copy=False).view(np.uint8)[:n]
    return drawn
