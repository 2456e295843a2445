"""Compute where patches lie in a face crop: at a random place in training, on a fixed grid in scoring."""

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
    """The rule by which patches are cut out of a face crop and their scores are pooled to one score per face.

    A patch has the crop's pixels as they are stored: nothing is resized. The centre of a patch lies in the
    middle part of the crop, because the corners of a crop show more background than face. In a crop that is not
    much larger than a patch, patches lie wherever they fit.

    Attributes:
        grid: number of patches per row and per column; a face is scored on grid² patches.
        middle: the centres of patches lie in the central part of the crop, whose side is this fraction of the
            crop's side; in (0, 1].
        pool: how the scores of a face's patches are combined to the score of the face.

    Raises:
        ValueError: a value is out of its range, or `pool` is not `mean`, the only supported value.
    """

    grid: int = 3
    middle: float = 0.5
    pool: Literal["mean"] = "mean"

    def __post_init__(self) -> None:
        if self.grid < 1 or not 0 < self.middle <= 1 or self.pool != "mean":
            raise ValueError(
                "patches need a grid of at least 1, a middle in (0, 1] and the pool 'mean', but the grid is "
                f"{self.grid}, the middle {self.middle} and the pool {self.pool!r}"
            )

    def scored(self, crop: int, side: int) -> list[Place]:
        """Return the places of the patches on which a face is scored, row by row: at most grid².

        In a crop that is hardly larger than a patch some places are equal; each is returned once.

        Args:
            crop: side of the stored crop in pixels, at least `side`.
            side: side of a patch in pixels.
        """
        low, travel = self._range(crop, side)
        last = self.grid - 1
        # Integer arithmetic, so that an implementation in another language computes the same places.
        steps = [(2 * i * travel + last) // (2 * last) for i in range(self.grid)] if last else [travel // 2]
        starts = list(dict.fromkeys(low + step for step in steps))
        return [Place(left, top) for top in starts for left in starts]

    def drawn(self, crop: int, side: int, key: tuple[Part, ...]) -> Place:
        """Return the random place of the patch that is cut out of a training sample in one epoch.

        Args:
            crop: side of the stored crop in pixels, at least `side`.
            side: side of the patch in pixels.
            key: the place depends on it alone; in a stream it is (seed, sample key, epoch).
        """
        low, travel = self._range(crop, side)
        across, down = generator("patch", *key).random(2).tolist()
        return Place(low + int(across * (travel + 1)), low + int(down * (travel + 1)))

    def _range(self, crop: int, side: int) -> tuple[int, int]:
        """Return the smallest left edge of a patch, and by how much the left edge may vary."""
        room = crop - side
        travel = min(room, int(self.middle * crop))
        return (room - travel) // 2, travel
