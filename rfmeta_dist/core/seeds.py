"""Make random numbers as pure functions of their arguments, so that no random state is saved or broadcast.

All functions derive from the SHA-256 of the arguments and the raw bits of Philox, which numpy keeps stable
across versions. Numpy does not promise this for the methods of `numpy.random.Generator`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Part = int | str


def _digest(parts: tuple[Part, ...]) -> bytes:
    # With repr, 1 and "1" give different digests, and so do ("ab", "c") and ("a", "bc").
    return hashlib.sha256(repr(parts).encode()).digest()


def seed(*parts: Part) -> int:
    """Return a 63-bit non-negative seed that depends on the given integers and strings alone."""
    return int.from_bytes(_digest(parts)[:8], "big") >> 1


def permutation(n: int, *parts: Part) -> NDArray[np.int64]:
    """Return a permutation of 0 … n−1 that depends on `parts` alone.

    The result is the same on every machine, in every process and with every version of numpy, because it is
    a stable argsort of raw Philox bits.
    """
    import numpy as np

    bits = np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")).random_raw(n)
    return np.argsort(bits, kind="stable")


def generator(*parts: Part) -> np.random.Generator:
    """Return a numpy generator that depends on `parts` and on the version of numpy alone."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")))


def octets(n: int, *parts: Part) -> NDArray[np.uint8]:
    """Return n uniform random bytes that depend on `parts` alone: raw Philox bits, equal on every machine."""
    import numpy as np

    words = np.random.Philox(key=int.from_bytes(_digest(parts)[:16], "big")).random_raw(-(-n // 8))
    drawn: NDArray[np.uint8] = words.astype("<u8", copy=False).view(np.uint8)[:n]
    return drawn
