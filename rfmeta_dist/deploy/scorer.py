"""Score pictures and videos with a deployment package, without torch: find the face, cut it out, judge it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rfmeta_dist.core.errors import ConfigError, DataError, PictureError
from rfmeta_dist.core.types import UNITS
from rfmeta_dist.deploy.cutting import Cut, Cutter
from rfmeta_dist.deploy.network import Network
from rfmeta_dist.deploy.package import MODEL, ONNX, Deployment
from rfmeta_dist.deploy.policy import LEAST_FRAMES
from rfmeta_dist.deploy.results import REASONS, Decision, Refused, Result, Scored, VideoResult
from rfmeta_dist.deploy.trained import Features, open_package
from rfmeta_dist.ingest.face import Faces
from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.still import HEAD, MAX_PIXELS, is_still
from rfmeta_dist.ingest.video import Every, Frame, FrameRule, Spread, read_frames
from rfmeta_dist.storage.store import open_store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfmeta_dist.core.types import Unit

    Pixels = NDArray[np.uint8]
    Shown = Callable[[Frame, Result], None]

FRAMES = Spread(10)  # what is taken from a video if nothing else is said, as `rfmeta ingest` does
_BATCH = 8  # crops that the model scores at once; more need more memory and are hardly faster
_READABLE = "give a JPEG, PNG, BMP or WebP picture, or a video"


class Scorer:
    """A deployed model. One object may be used by several threads at the same time.

    Args:
        package: folder of the deployment package, or of a trained model of hand-made features or its run, as a
            path or `s3://` URL; or a package that was read.
        threads: threads that the model uses for one call. Finding a face takes one; OpenCV may use more to
            shrink a large picture, unless the program calls `cv2.setNumThreads(1)`.
        operating_point: name of the need that the threshold meets, such as `bpcer@apcer5`; None for the
            package's own threshold.
        upright: True if all pictures are upright as their files say; lying faces are then refused. Otherwise a
            picture with a doubtful face is also searched in the other three orientations, which takes about
            four times as long.

    Attributes:
        package: the package.
        note: what a user must know about the scores of this package; "" if there is nothing.
        upright: as given.

    Raises:
        PackageError: there is no package, a file of it was changed, or this version cannot use it.
        ConfigError: the package has no such operating point, `threads` is below 1, or the face models are not
            installed.
        StorageError: the package cannot be reached.
    """

    def __init__(
        self,
        package: str | Path | Deployment,
        threads: int = 1,
        operating_point: str | None = None,
        *,
        upright: bool = False,
    ) -> None:
        self.package = package if isinstance(package, Deployment) else open_package(open_store(str(package)))
        where = self.package.url
        self._cutter = Cutter.of(self.package.input, where, upright=upright)
        self._network: Network | Features = (
            Network(self.package.files[MODEL], self._cutter.size, threads, where)
            if self.package.kind == ONNX
            else Features(self.package)
        )
        self._decisions = {unit: decision(self.package, unit, operating_point) for unit in UNITS}
        self.note, self.upright = self._cutter.note, upright
        # LiteRT's models serve one thread at a time, so each call takes models from here, or loads its own.
        self._idle: list[Faces] = [Faces()]

    def decision(self, unit: Unit) -> Decision:
        """Return the rule that makes a verdict of a score.

        Args:
            unit: `frame` for a picture or the frame of a video, `video` for the mean over its frames.
        """
        return self._decisions[unit]

    def score(self, picture: Pixels | bytes) -> Result:
        """Score the face in a picture.

        Args:
            picture: H×W×3 uint8 RGB, upright; or the content of a JPEG, PNG, BMP or WebP file, which is turned
                as the file says.

        Returns:
            `Scored`, or `Refused` if there is no face, or one that is not fit to be scored.

        Raises:
            PictureError: the picture cannot be read, or is no such array.
            ScoreError: the model gave a score that is not a number.
        """
        return self.score_many([picture])[0]

    def score_many(self, pictures: Sequence[Pixels | bytes]) -> list[Result]:
        """Score the faces in several pictures; the model scores them in batches.

        Args:
            pictures: each as for `score`.

        Returns:
            A result for each picture, in the same order. It does not depend on the other pictures.

        Raises:
            PictureError: a picture cannot be read; the error names it by its place, from 1.
            ScoreError: the model gave a score that is not a number.
        """
        found: list[Cut | Refused] = []
        with self._faces() as faces:
            for place, picture in enumerate(pictures, 1):
                name = "the picture" if len(pictures) == 1 else f"picture {place} of {len(pictures)}"
                frame = _still(picture, name)
                found.append(self._cutter.cut(faces, frame))
        return [
            result for start in range(0, len(found), _BATCH) for result in self._judged(found[start:][:_BATCH])
        ]

    def score_video(
        self,
        video: Path | bytes,
        frames: FrameRule = FRAMES,
        shown: Shown | None = None,
        name: str | None = None,
    ) -> VideoResult:
        """Score the faces in some frames of a video, and the video by the mean of their scores.

        Args:
            video: a path, or the content of a file. A still picture is a video of one frame.
            frames: which frames to take; ten, evenly spaced, if not given.
            shown: called with each frame and its result. If the faces of the video are lying, it is called for
                all frames a second time, turned.
            name: name of the video in errors; its path if not given.

        Raises:
            PictureError: the video cannot be read, or is cut short.
            ScoreError: the model gave a score that is not a number.
            ModuleNotFoundError: PyAV, which reads videos, is not installed.
        """
        results: dict[int, Result] = {}
        with _as_picture_error(), self._faces() as faces:
            found = self._cutter.cuts(faces, lambda: read_frames(video, frames, name=name))
            # Frames are kept no longer than they are needed, because those of a large video fill the memory.
            kept = ((frame.number, frame if shown else None, cut) for frame, cut in found)
            while batch := list(islice(kept, _BATCH)):
                judged = self._judged([cut for *_, cut in batch])
                for (number, frame, _), result in zip(batch, judged, strict=True):
                    results[number] = result
                    if shown and frame:
                        shown(frame, result)
        return self._video(results)

    def _video(self, results: dict[int, Result]) -> VideoResult:
        rule, frames = self._decisions["video"], tuple(results.items())
        scores = [result.score for result in results.values() if isinstance(result, Scored)]
        if len(scores) < LEAST_FRAMES * len(frames) or not scores:
            said = f"{REASONS['too_few_frames']} {len(scores)} of {len(frames)} were scored; half are needed."
            return VideoResult(frames, None, "refused", rule, said)
        mean = float(np.mean(scores))
        return VideoResult(frames, mean, rule.verdict(mean), rule)

    def _judged(self, cuts: Sequence[Cut | Refused]) -> list[Result]:
        """Score the crops among these, those of one size as one batch."""
        rule, scores = self._decisions["frame"], dict[int, float]()
        crops = {place: cut.crop for place, cut in enumerate(cuts) if isinstance(cut, Cut)}
        for shape in dict.fromkeys(crop.shape for crop in crops.values()):
            places = [place for place, crop in crops.items() if crop.shape == shape]
            found = self._network.scores(np.stack([crops[place] for place in places]))
            scores.update(zip(places, found.tolist(), strict=True))
        return [
            cut
            if isinstance(cut, Refused)
            else Scored(scores[place], rule.verdict(scores[place]), rule, cut.box, cut.turned)
            for place, cut in enumerate(cuts)
        ]

    @contextmanager
    def _faces(self) -> Iterator[Faces]:
        """Lend face models to this thread alone."""
        try:
            faces = self._idle.pop()
        except IndexError:
            faces = Faces()
        try:
            yield faces
        finally:
            self._idle.append(faces)


def decision(package: Deployment, unit: Unit, operating_point: str | None) -> Decision:
    """Return the rule that makes a verdict of a score.

    Args:
        package: a deployment package.
        unit: `frame` or `video`.
        operating_point: name of one of the package's operating points; None for its own threshold.

    Raises:
        ConfigError: the package has no such operating point.
    """
    if operating_point is None:
        own = package.thresholds[unit]
        return Decision(own.value, unit, None, own.source)
    points = package.operating_points.get(unit, {})
    if operating_point not in points:
        raise ConfigError(
            f"the package at {package.url} has no operating point {operating_point!r}",
            f"choose one of: {', '.join(points)}" if points else "leave --operating-point out: it has none",
        )
    point = points[operating_point]
    origin = str(point.origin.get("data", "not said"))
    return Decision(
        point.value, unit, operating_point, f"{origin}; {point.unresolved}" if point.unresolved else origin
    )


def _still(picture: Pixels | bytes, name: str) -> Frame:
    """Return a picture as a frame."""
    if isinstance(picture, np.ndarray):
        shape = picture.shape
        colours = picture.dtype == np.uint8 and len(shape) == 3 and shape[2] == 3
        if not colours or not 0 < picture.size <= 3 * MAX_PIXELS:
            raise PictureError(
                f"{name} is an array of {picture.dtype} and shape {shape}",
                f"give H×W×3 uint8 in the order red, green, blue, of at most {MAX_PIXELS:,} pixels",
            )
        return Frame(0, 0, np.ascontiguousarray(picture), Orientation())
    with _as_picture_error(name):
        if picture and not is_still(picture[:HEAD]):
            raise ValueError("it is not a JPEG, PNG, BMP or WebP picture")
        (frame,) = read_frames(bytes(picture), Every(1), name=name)
    return frame


@contextmanager
def _as_picture_error(name: str = "") -> Iterator[None]:
    """Convert errors about a file into a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except DataError as error:
        raise PictureError(error.problem, _READABLE) from error
    except ValueError as error:
        raise PictureError(f"{name} cannot be read: {error}", _READABLE) from error
