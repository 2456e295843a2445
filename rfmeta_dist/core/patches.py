"""Where patches lie in a face crop: at a drawn place in training, on a fixed grid in scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from rfmeta_dist.core.seeds import generator

if TYPE_CHECKING:
    from rfmeta_dist.core.seeds import Part


class Place(NamedTuple):
    """The upper left corner of a patch, in pixels of the crop as stored."""

    left: int
    top: int


@dataclass(frozen=True)
class Patches:
    """How patches are cut out of a face crop, and how their scores become the score of the face.

    A patch has the crop's pixels as they are stored: nothing is resized. The middle of a patch lies in the
    middle part of the crop, because the corners of a crop show more background than face. In a crop that is not
    much larger than a patch, patches lie wherever they fit.

    Attributes:
        grid: patches across, and as many down, that are scored of a face.
        middle: the part of the crop's side, about its middle, in which the middles of patches lie; in (0, 1].
        pool: how the scores of a face's patches become the score of the face.

    Raises:
        ValueError: a value is out of its range, or `pool` is not `mean`, the only one that is known.
    """

    grid: int = 3
    middle: float = 0.5
    pool: Literal["mean"] = "mean"

    def __post_init__(self) -> None:
        if self.grid < 1 or not 0 < self.middle <= 1 or self.pool != "mean":
            raise ValueError(
                f"patches of grid {self.grid}, middle {self.middle} and pool {self.pool!r} are unknown"
            )

    def scored(self, crop: int, side: int) -> list[Place]:
        """Return the places of a face's patches when it is scored, row after row: at most grid².

        Places that are equal, in a crop hardly larger than a patch, are given once.

        Args:
            crop: side of the stored crop in pixels, at least `side`.
            side: of a patch, in pixels.
        """
        low, travel = self._range(crop, side)
        last = self.grid - 1
        # With integers alone, another program computes the same places.
        steps = [(2 * i * travel + last) // (2 * last) for i in range(self.grid)] if last else [travel // 2]
        starts = list(dict.fromkeys(low + step for step in steps))
        return [Place(left, top) for top in starts for left in starts]

    def drawn(self, crop: int, side: int, key: tuple[Part, ...]) -> Place:
        """Return the place of the patch that a training sample gives on one of its visits.

        Args:
            crop: side of the stored crop in pixels, at least `side`.
            side: of the patch, in pixels.
            key: decides the place; in a stream (seed, sample key, epoch).
        """
        low, travel = self._range(crop, side)
        across, down = generator("patch", *key).random(2).tolist()
        return Place(low + int(across * (travel + 1)), low + int(down * (travel + 1)))

    def _range(self, crop: int, side: int) -> tuple[int, int]:
        """Return the smallest left edge of a patch, and the length of the range of left edges."""
        room = crop - side
        travel = min(room, int(self.middle * crop))
        return (room - travel) // 2, travel
