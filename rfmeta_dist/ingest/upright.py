"""Find which way up the faces of a file are, because files may give no rotation or a wrong one.

The detector also finds faces that lie on their side or upside down, but gives upright faces a higher score. If
a face is turned by a wrong quarter, its mesh is not level or has a low score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.ingest.face import CONFIDENT, EYES, Box, Face, Faces, choose

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Points
    from rfmeta_dist.ingest.recording import Boxes
    from rfmeta_dist.ingest.video import Frame

# These limits were chosen on 156 portraits, each also small, dark, blurred, noisy and partly hidden. No face
# that was turned wrongly scored above 0.89, and no upright face would have been turned.
_BEYOND_DOUBT = 0.9  # from this score on, a face counts as upright and other orientations are not tried
_SURE = 0.7  # a file is turned only if the mean score of the new orientation is at least this …
_CLEAR = 0.05  # … and this much above the mean score of the orientation that the file gives
_ENOUGH = 10  # number of doubtful frames of a file that are examined in all four orientations


class Look(NamedTuple):
    """What the search for a face in a frame has found.

    Attributes:
        landmarks: of the face that is cut out, 468×3 as `Points` are; None if no face was found.
        crowded: True if several faces were found.
        upright: from 0 (surely turned) to 1 (surely upright); 0 without a face.
    """

    landmarks: Points | None
    crowded: bool
    upright: float


def look(faces: Faces, frame: Frame, box_of: Boxes) -> Look:
    """Find the face to take in a frame. `box_of` has the data set's own boxes, in pixels as stored."""
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
    """Collect, from the frames of a file, which way up its faces are.

    Args:
        faces: face detector and landmark model.
        box_of: see `look`.
    """

    def __init__(self, faces: Faces, box_of: Boxes) -> None:
        self._faces, self._box_of = faces, box_of
        self._scores: dict[int, Mapping[int, float]] = {}  # by frame number, then by turn
        self._doubtful = 0

    def add(self, frame: Frame, upright: float) -> None:
        """Take account of a frame whose face stands upright, as the frame is, with this confidence."""
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
        """Return the degrees clockwise to turn the file further; 0 unless its faces agree with confidence."""
        mean = {turn: self._mean(turn) for turn in (0, 90, 180, 270)}
        best = max(mean, key=lambda turn: mean[turn])
        return best if mean[best] >= _SURE and mean[best] - mean[0] > _CLEAR else 0

    @property
    def lying(self) -> tuple[int, ...]:
        """Return the numbers of the frames whose face still seems to lie after a rotation by `turn`."""
        turn = self.turn
        return tuple(
            number
            for number, score in self._scores.items()
            if max(score.values()) - score.get(turn, 0.0) > _CLEAR
        )

    def _mean(self, turn: int) -> float:
        return sum(score.get(turn, 0.0) for score in self._scores.values()) / max(1, len(self._scores))
