"""Find which way up the faces of a file are, because files may give no rotation or a wrong one.

The detector finds faces that lie on their side or upside down too, but scores an upright face higher. Turned
by a wrong quarter, the face's mesh is not level or scores low.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.ingest.face import CONFIDENT, EYES, Box, Face, Faces, choose

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Points
    from rfmeta_dist.ingest.recording import Boxes
    from rfmeta_dist.ingest.video import Frame

# Measured on 156 portraits, whole, small, dark, blurred, noisy and partly hidden: the wrong way up none scored
# above 0.89, and by these two limits none of those that stood upright would have been turned.
_BEYOND_DOUBT = 0.9  # a face that scores this as it is stands upright: no other way up is looked at
_SURE = 0.7  # mean score from which on faces decide …
_CLEAR = 0.05  # … if it is this much above that of the way up that the file says
_ENOUGH = 10  # doubtful frames of a file that are looked at all ways up


class Look(NamedTuple):
    """The face that was found in a frame.

    Attributes:
        landmarks: 468×3 of the face meant, None without a face.
        crowded: whether there are several faces.
        upright: how surely the face meant stands upright, in [0, 1].
    """

    landmarks: Points | None
    crowded: bool
    upright: float


def look(faces: Faces, frame: Frame, box_of: Boxes) -> Look:
    """Find the face meant in a frame; `box_of` has the data set's own boxes, in pixels as stored."""
    detected = faces.detect(frame.pixels)
    given = box_of.get(frame.number)
    annotated = Box(*frame.orientation.of_box(given, *frame.pixels.shape[:2])) if given else None
    face = choose(detected, annotated)
    if face is None:
        return Look(None, False, 0.0)
    landmarks, score = faces.landmarks(frame.pixels, face)
    across, down = landmarks[EYES[1], :2] - landmarks[EYES[0], :2]
    sure = score * (face.score if isinstance(face, Face) else CONFIDENT)
    return Look(
        landmarks if score > CONFIDENT else None, len(detected) > 1, sure if across >= abs(down) else 0.0
    )


class WayUp:
    """Collects from a file's frames which way up its faces are.

    Args:
        faces: detector and landmarks.
        box_of: see `look`.
    """

    def __init__(self, faces: Faces, box_of: Boxes) -> None:
        self._faces, self._box_of = faces, box_of
        self._scores: dict[int, Mapping[int, float]] = {}  # by frame number, then by turn
        self._doubtful = 0

    def add(self, frame: Frame, upright: float) -> None:
        """Take account of a frame whose face, as it is, stands upright this surely."""
        if upright >= _BEYOND_DOUBT:
            self._scores[frame.number] = {0: upright}
        elif self._doubtful < _ENOUGH:
            others = {
                turn: look(self._faces, frame.turned(turn), self._box_of).upright for turn in (90, 180, 270)
            }
            if upright or any(others.values()):
                self._scores[frame.number] = {0: upright, **others}
                self._doubtful += 1

    @property
    def turn(self) -> int:
        """Return the degrees clockwise to turn the file further; 0 unless its faces are certain and agree."""
        mean = {turn: self._mean(turn) for turn in (0, 90, 180, 270)}
        best = max(mean, key=lambda turn: mean[turn])
        return best if mean[best] >= _SURE and mean[best] - mean[0] > _CLEAR else 0

    @property
    def lying(self) -> tuple[int, ...]:
        """Return the numbers of the frames whose face still seems to lie after a turn by `turn`."""
        turn = self.turn
        return tuple(
            number
            for number, score in self._scores.items()
            if max(score.values()) - score.get(turn, 0.0) > _CLEAR
        )

    def _mean(self, turn: int) -> float:
        return sum(score.get(turn, 0.0) for score in self._scores.values()) / max(1, len(self._scores))
