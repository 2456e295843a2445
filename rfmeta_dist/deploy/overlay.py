"""Draw a face's box, score and verdict on its picture, and write the pictures to a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.deploy.results import Scored

if TYPE_CHECKING:
    from rfmeta_dist.deploy.results import Result
    from rfmeta_dist.ingest.crop import Pixels
    from rfmeta_dist.ingest.video import Frame

# Red, green, blue. They differ for people who do not see red and green apart; the verdict is written, too.
_COLOURS = {"live": (0, 114, 178), "attack": (213, 94, 0), "refused": (110, 110, 110)}
_LONGEST = 200  # bytes of a file's name; longer ones are shortened, because a disk takes at most 255


def drawn(pixels: Pixels, result: Result) -> Pixels:
    """Return a copy of an H×W×3 uint8 RGB picture with the face's box and a label."""
    picture, colour = pixels.copy(), _COLOURS[result.verdict]
    scale = max(0.4, min(pixels.shape[:2]) / 700)
    thick = max(1, round(2 * scale))
    left, top = 0, 0
    if result.box is not None:
        x, y, width, height = map(round, result.box)
        cv2.rectangle(picture, (x, y), (x + width, y + height), colour, thick)
        left, top = x, y
    label = (
        f"{result.verdict} {result.score:.3f}" if isinstance(result, Scored) else f"refused: {result.reason}"
    )
    (wide, tall), below = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    # The label lies above the box, but within the picture.
    left = max(0, min(left, picture.shape[1] - wide))
    bottom = max(tall + below, top)
    cv2.rectangle(picture, (left, bottom - tall - below), (left + wide, bottom), colour, cv2.FILLED)
    place = (left, bottom - below // 2)
    cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), thick, cv2.LINE_AA)
    return picture


def save(folder: Path, name: str, frame: Frame, result: Result) -> None:
    """Write the picture with its drawing as JPEG, under the picture's name below a folder.

    Args:
        folder: the folder to write to.
        name: the file's name, with `/`; `.jpg` is added.
        frame: the picture, upright.
        result: what scoring it gave.

    Raises:
        StorageError: the picture cannot be written.
    """
    path = folder.joinpath(*map(_short, name.split("/")))
    path = path.with_name(f"{path.name}.jpg")
    data = cv2.imencode(".jpg", drawn(frame.pixels, result)[..., ::-1])[1].tobytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StorageError(
            f"the picture {path} cannot be written: {error.strerror}",
            "give a folder with enough free space that you may write to with --save",
        ) from error


def _short(name: str) -> str:
    data = name.encode()
    if len(data) <= _LONGEST:
        return name
    return f"{data[:_LONGEST].decode(errors='ignore')}-{hashlib.sha256(data).hexdigest()[:16]}"
