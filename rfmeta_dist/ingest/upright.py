"""Find out by how much a file must be rotated so that its faces are upright: its rotation mark may be wrong.

The detector also finds faces that lie on their side or upside down, but gives an upright face a higher score.
If a face is rotated wrongly, the eyes of its mesh are not level, or the mesh has a low score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rfmeta_dist.ingest.face import CONFIDENT, EYES, Box, Face, Faces, choose

if TYPE_CHECKING:
    from rfmeta_dist.ingest.face import Points
    from rfmeta_dist.ingest.recording import Boxes
    from rfmeta_dist.ingest.video import Frame

# These limits were measured on 156 portraits: unchanged, small, dark, blurred, noisy and partly hidden. Rotated
# wrongly, none scored above 0.89. With _SURE and _CLEAR, no upright portrait would have been rotated.
_BEYOND_DOUBT = 0.9  # a face with this score is upright, and other rotations are not tried
_SURE = 0.7  # a file is rotated only if the mean score of the new rotation is at least this,
_CLEAR = 0.05  # and is higher than the mean score without rotation by more than this
_ENOUGH = 10  # number of doubtful frames of a file for which all rotations are tried


class Look(NamedTuple):
    """The face that was found in a frame.

    Attributes:
        landmarks: 468×3 of the chosen face; None if there is no face.
        crowded: True if there are several faces.
        upright: confidence in [0, 1] that the chosen face is upright.
    """

    landmarks: Points | None
    crowded: bool
    upright: float


def look(faces: Faces, frame: Frame, box_of: Boxes) -> Look:
    """Find the face to cut out of a frame, and how certain it is that the face is upright.

    Args:
        faces: the face detector and landmark model.
        frame: the frame, rotated as the file says.
        box_of: the data set's own face boxes by frame number, in pixels of the file as stored.
    """
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
    """Collect, over the frames of a file, how certain each rotation is.

    Args:
        faces: the face detector and landmark model.
        box_of: see `look`.
    """

    def __init__(self, faces: Faces, box_of: Boxes) -> None:
        self._faces, self._box_of = faces, box_of
        self._scores: dict[int, Mapping[int, float]] = {}  # by frame number, then by turn
        self._doubtful = 0

    def add(self, frame: Frame, upright: float) -> None:
        """Add a frame. The other rotations are tried if it is doubtful that its face is upright.

        Args:
            frame: the frame, rotated as the file says.
            upright: confidence that its face is upright, from `look`.
        """
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
        """Return by how many degrees clockwise to rotate the file further; 0 unless the scores are clear."""
        mean = {turn: self._mean(turn) for turn in (0, 90, 180, 270)}
        best = max(mean, key=lambda turn: mean[turn])
        return best if mean[best] >= _SURE and mean[best] - mean[0] > _CLEAR else 0

    @property
    def lying(self) -> tuple[int, ...]:
        """Return the numbers of the frames whose face still seems not upright after a rotation by `turn`."""
        turn = self.turn
        return tuple(
            number
            for number, score in self._scores.items()
            if max(score.values()) - score.get(turn, 0.0) > _CLEAR
        )

    def _mean(self, turn: int) -> float:
        return sum(score.get(turn, 0.0) for score in self._scores.values()) / max(1, len(self._scores))
