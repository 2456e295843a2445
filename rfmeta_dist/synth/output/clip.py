"""Write a recording as a video file: whole frames at 25 per second, and the face annotation of its data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from rfmeta_dist.core.partial import partial_file
from rfmeta_dist.synth.filming.film import film
from rfmeta_dist.synth.filming.nuisances import flicker
from rfmeta_dist.synth.filming.recording import Video
from rfmeta_dist.synth.imaging.codec import Pixels, crf_of
from rfmeta_dist.synth.optics.camera import Settings, see
from rfmeta_dist.synth.optics.framing import Face
from rfmeta_dist.synth.optics.sensor import capture
from rfmeta_dist.synth.output.annotations import annotation
from rfmeta_dist.synth.output.generate import prepare
from rfmeta_dist.synth.person.motion import FPS

FULL = 256  # side of the largest scale's crops, in pixels


@dataclass(frozen=True)
class Clip:
    """A recording to write as a video file.

    Attributes:
        path: path below its data set's folder; the ending selects the container format.
        video: the recording; its card has exactly one camera.
        turned: store the frames upside down, as some phones do.
    """

    path: str
    video: Video
    turned: bool = False

    @property
    def frames(self) -> int:
        """Return the number of frames."""
        return max(1, round(self.video.seconds * FPS))


def write(clip: Clip, root: Path) -> None:
    """Film a clip and encode it as H.264 below `root`. The file gets its name only when it is complete.

    Raises:
        OSError: the disk is full, or the folder may not be written.
    """
    path = root / clip.path
    with partial_file(path, path.suffix) as partial:
        faces = _encode(clip, partial)
        beside = annotation(clip.video.card.layout, clip.path, faces)
        if beside:
            write_text(root / beside[0], beside[1])
        partial.chmod(0o644)  # partial files are readable by their owner only; data sets are for all users
        partial.rename(path)


def _encode(clip: Clip, path: Path) -> list[Face]:
    """Film a clip into a file. Return the face in each frame, in pixels."""
    taken = prepare(clip.video)[0]
    faces = []
    with av.open(str(path), "w") as container:
        # With one thread and no B-frames, the bytes depend on the pictures alone.
        options = {"crf": str(crf_of(taken.settings.codec)), "threads": "1", "bf": "0", "preset": "veryfast"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.pix_fmt = "yuv420p"
        for number, (picture, face) in enumerate(_pictures(clip)):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            stored = np.ascontiguousarray(picture[::-1, ::-1]) if clip.turned else picture
            container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
            faces.append(face)
        container.mux(stream.encode())
    return faces


def write_text(path: Path, text: str) -> None:
    """Write a text file, and create the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def coarser(settings: Settings, size: int) -> Settings:
    """Return the settings of a camera with fewer pixels, so that a small scale films small frames.

    Args:
        settings: of the full camera.
        size: side of the scale's crops in pixels. At 256, the largest, the camera keeps all its pixels.
    """
    wanted = settings.sensor if size >= FULL else min(settings.sensor, 3 * size // 2)
    sensor = wanted // 2 * 2
    share = sensor / settings.sensor
    height, width = (max(2 * round(side * share / 2), sensor) for side in settings.frame)
    return replace(
        settings,
        sensor=sensor,
        scene=min(settings.scene, sensor),
        noise=settings.noise * share,
        frame=(height, width),
    )


def _pictures(clip: Clip) -> Iterator[tuple[Pixels, Face]]:
    video = clip.video
    taken, framing = prepare(video)
    settings = coarser(taken.settings, video.size)
    sight = see(settings, whole=True)
    times = [tick / FPS for tick in range(clip.frames)]
    for tick, shot in enumerate(film(video, taken.card, settings, framing, times, whole=True)):
        lit = shot.radiance if taken.bands is None else flicker(shot.radiance, taken.bands, tick)
        yield capture(lit, sight, settings, video.random("sensor", tick), shot.pattern), shot.face
