"""Define what scoring returns: a score with its verdict, or a refusal with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rfmeta_dist.core.types import Unit
from rfmeta_dist.ingest.face import Box

Reason = Literal[
    "no_face",
    "several_faces",
    "lying",
    "too_small",
    "too_dark",
    "blurred",
    "too_few_frames",
    "unreadable",
    "no_picture",
    "no_file",
    "gone",
    "link",
    "needs_video",
]
# What each reason of a refusal means, as a sentence for people.
REASONS: dict[Reason, str] = {
    "no_face": "No face was found.",
    "several_faces": "Several faces were found, so it is not clear whose face the verdict would be about.",
    "lying": "The face is on its side or upside down, and --upright says that pictures are upright.",
    "too_small": "The face is too small.",
    "too_dark": "The face is too dark.",
    "blurred": "The face is too blurred.",
    "too_few_frames": "Too few frames of the video could be scored.",
    "unreadable": "The file cannot be read, is damaged, or is in a format that is not supported.",
    "no_picture": "By its content, the file is neither a picture nor a video.",
    "no_file": "It is not a regular file, for example a pipe or a device.",
    "gone": "The file disappeared before it was read, or is a link to nothing.",
    "link": "It is a link to a folder, which is not followed, or a link that leads back to itself.",
    "needs_video": "The package that reads videos is not installed.",
}


@dataclass(frozen=True)
class Decision:
    """The rule that makes a verdict of a score: `live` if the score ≥ threshold, `attack` otherwise.

    Attributes:
        threshold: a finite number.
        unit: `frame` or `video`, whichever the threshold was chosen for.
        operating_point: name of the need that it meets, such as `bpcer@apcer5`; None for the package's own
            threshold.
        origin: what the threshold was chosen on, in words.
    """

    threshold: float
    unit: Unit
    operating_point: str | None
    origin: str

    def verdict(self, score: float) -> Literal["live", "attack"]:
        """Return the verdict on a score."""
        return "live" if score >= self.threshold else "attack"


@dataclass(frozen=True)
class Scored:
    """A face that was scored.

    Attributes:
        score: probability that the face is live, in [0, 1].
        verdict: `live` or `attack`.
        decision: the threshold that was applied, and where it comes from.
        box: around the face from hairline to chin, in pixels of the upright picture.
        turned: degrees clockwise by which the picture was turned beyond what its file says, because its face
            was lying; `box` is in the turned picture.
    """

    score: float
    verdict: Literal["live", "attack"]
    decision: Decision
    box: Box
    turned: int = 0


@dataclass(frozen=True)
class Refused:
    """A picture that was not scored. It counts neither as live nor as attack.

    Attributes:
        reason: a code of `REASONS`.
        words: a sentence with the value that was found and its limit.
        box: as in `Scored`; None if no face was found, or if the file could not be read.
        turned: as in `Scored`.
        verdict: always `refused`.
    """

    reason: Reason
    words: str
    box: Box | None = None
    turned: int = 0
    verdict: Literal["refused"] = "refused"


Result = Scored | Refused


@dataclass(frozen=True)
class VideoResult:
    """What scoring a video gave.

    Attributes:
        frames: number of each sampled frame, from 0 in the order of showing, and its result.
        score: mean of the scores of the frames that were scored; None if there are too few.
        verdict: `live`, `attack`, or `refused`.
        decision: the threshold that the mean is compared with.
        words: why the video was refused; "" if it was not.
    """

    frames: tuple[tuple[int, Result], ...]
    score: float | None
    verdict: Literal["live", "attack", "refused"]
    decision: Decision
    words: str = ""
