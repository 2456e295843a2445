"""Find copies of images that were encoded again, by a hash of 64 bits and then by their pixels.

The hash holds the signs of the 8×8 lowest frequencies of the discrete cosine transform, as in pHash (Zauner
2010). Aligned faces are alike, so the hashes of different people are often near each other. Pairs that are near
are therefore compared by pixels. Of 57 million pairs of generated faces in different videos, none passes both;
docs/explanation/intake.md has the figures. Copies that are mirrored or cropped by a few percent are not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.reading.fetch import fetch
from rfmeta_dist.data.shards.unpack import unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rfmeta_dist.data.reading.cache import Cache
    from rfmeta_dist.data.shards.manifest import Manifest
    from rfmeta_dist.storage.store import Store

    Rows = NDArray[np.int64]
    Pixels = NDArray[np.uint8]
    Hashes = NDArray[np.uint64]
    # Returns the encoded images of rows of a manifest's table of samples, in their order.
    Images = Callable[[Manifest, Rows], Iterable[bytes]]

SIDE = 64  # side to which images are resized for comparing their pixels
NEAR = 8  # of 64 bits; a copy at JPEG quality 30 differs by at most 6
ALIKE = 0.97  # least correlation of the pixels; copies at half the side reach 0.975
ALIKE_DETAIL = 0.9  # least correlation of the details, which differ more between two recordings of one person
_BLUR = 3.0  # standard deviation in pixels; details are what this blur removes
_RIM = 4  # pixels at the border, where the blur is not defined
_TABLE = 1 << 24  # pairs of hashes that are compared at once, which take 128 MiB


def stored_images(store: Store, cache: Cache | None = None) -> Images:
    """Return a function that reads images from shards; it fetches a shard once if rows rise.

    Args:
        store: the parent of the domains' folders.
        cache: this node's cache; None to read from the store each time.
    """

    def images(manifest: Manifest, rows: Rows) -> Iterator[bytes]:
        import numpy as np

        folder = store.sub(manifest.domain)
        for shard in sorted(manifest.shards, key=lambda shard: shard.first):
            wanted = rows[(rows >= shard.first) & (rows < shard.first + shard.samples)] - shard.first
            if not len(wanted):
                continue
            where = f"{folder.url}/{shard.name}"
            some = bool(manifest.protocol)
            samples = unpack(fetch(folder, shard, cache), manifest.rows(shard), where, known=True, some=some)
            for row in np.sort(wanted).tolist():
                yield samples[row].image

    return images


def small(image: bytes, key: str) -> Pixels:
    """Decode a JPEG or PNG to `SIDE`×`SIDE` grey pixels.

    Raises:
        DataError: the image is damaged; the error names the sample by its key.
    """
    import cv2
    import numpy as np

    grey: Pixels | None = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise DataError(f"the image of sample {key} cannot be decoded", "ingest its domain again without it")
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def hashed(pixels: Pixels) -> int:
    """Return the 64-bit hash of `SIDE`×`SIDE` grey pixels."""
    import cv2
    import numpy as np

    half = cv2.resize(pixels, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
    low = cv2.dct(half.astype(np.float32))[:8, :8].ravel()
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def near_pairs(new: Hashes, others: Hashes) -> tuple[Rows, Rows, NDArray[np.uint8]]:
    """Return the pairs of hashes that differ by at most `NEAR` bits.

    Args:
        new: A hashes.
        others: B hashes.

    Returns:
        For each pair, its index in `new`, its index in `others`, and the number of bits that differ. It takes
        about a second for 10,000 × 10,000 hashes.
    """
    import numpy as np

    found = [np.empty((2, 0), np.int64)]
    bits = [np.empty(0, np.uint8)]
    step = max(1, _TABLE // max(1, len(others)))
    for start in range(0, len(new), step):
        differ = np.bitwise_count(new[start : start + step, None] ^ others[None])
        first, second = np.nonzero(differ <= NEAR)
        found.append(np.stack([first + start, second]))
        bits.append(differ[first, second])
    pairs = np.concatenate(found, axis=1)
    return pairs[0], pairs[1], np.concatenate(bits)


def are_copies(one: Pixels, other: Pixels) -> bool:
    """Return True if the pixels of two images, and their details, correlate as only copies do."""
    whole, details = correlations(one, other)
    return whole >= ALIKE and details >= ALIKE_DETAIL


def correlations(one: Pixels, other: Pixels) -> tuple[float, float]:
    """Return Pearson's correlation of the pixels of two images, and of their details, in [−1, 1].

    A flat image has the correlation 0 with every other one, because all flat images are alike.
    """
    return _correlation(one, other), _correlation(_details(one), _details(other))


def _details(pixels: Pixels) -> NDArray[np.float32]:
    import cv2
    import numpy as np

    exact = pixels.astype(np.float32)
    return np.asarray(exact - cv2.GaussianBlur(exact, (0, 0), _BLUR))[_RIM:-_RIM, _RIM:-_RIM]


def _correlation(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    import numpy as np

    a, b = (x.astype(np.float64).ravel() for x in (one, other))
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
