"""Read chosen frames of a video file, upright and in RGB. A still image is read as a video of one frame.

A file is decoded from its start without seeking, and one frame is held at a time. Damage that a decoder notices
is an error: a decoder would otherwise invent the part that it cannot read, and an invented texture is a wrong
sample.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.still import HEAD, MAX_PIXELS, decode_still, is_still
from rfmeta_dist.ingest.whole import is_cut_short

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.buffer import Buffer
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# Only these formats are read: they contain their own pictures. A playlist could name any file of this machine.
_FORMATS = "avi,mov,mp4,matroska,webm,mpeg,mpegts,asf,flv"
_SLACK = 0.5  # seconds by which the last packet may end before the duration that the header gives


@dataclass(frozen=True)
class Every:
    """Take every `step`-th frame, beginning with the first."""

    step: int

    def __post_init__(self) -> None:
        if self.step < 1:
            raise ConfigError(
                f"step={self.step} between frames is below 1",
                "set step (--every) to 1 to take every frame of a video, to 2 to take every second frame",
            )

    def clips(self, total: int) -> list[range]:
        """Return the frames taken from a video of `total` frames, each a clip of its own."""
        return [range(number, number + 1) for number in range(0, total, self.step)]


@dataclass(frozen=True)
class Spread:
    """Take `count` clips of `length` consecutive frames, evenly spaced, or fewer if the video is too short."""

    count: int
    length: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.length < 1:
            raise ConfigError(
                f"count={self.count} clips of length={self.length} frames take no frame of a video",
                "set count (--frames) and length (--clip) to 1 or more",
            )

    def clips(self, total: int) -> list[range]:
        """Return the frames taken from `total` frames, by clip; none if the video is shorter than one clip."""
        count = min(self.count, total // self.length)
        starts = ((2 * index + 1) * total // (2 * count) - self.length // 2 for index in range(count))
        return [range(start, start + self.length) for start in starts]


FrameRule = Every | Spread


class Frame(NamedTuple):
    """One picture of a file.

    Attributes:
        clip: number of the clip that it belongs to, from 0.
        number: number of the frame from 0, in the order of showing.
        pixels: H×W×3 uint8 RGB, upright.
        orientation: how the stored pixels were mirrored and turned to be upright.
    """

    clip: int
    number: int
    pixels: Pixels
    orientation: Orientation

    def turned(self, degrees: int) -> Frame:
        """Return this frame, turned further clockwise."""
        pixels = Orientation(degrees=degrees).of_pixels(self.pixels)
        return self._replace(pixels=pixels, orientation=self.orientation.then(degrees))


def read_frames(
    source: Path | bytes, rule: FrameRule, *, rotation: int = 0, name: str | None = None
) -> Iterator[Frame]:
    """Yield the frames that a rule takes from a video, or the one frame of a still image.

    Args:
        source: a path, or the content of a file.
        rule: which frames.
        rotation: degrees clockwise, a multiple of 90, that make the stored pixels upright; 0 for what the file
            itself says.
        name: name of the source in errors; its path if not given.

    Raises:
        ConfigError: `rotation` is not a multiple of 90.
        DataError: the file cannot be read or decoded, is cut short, or is too short for the rule.
    """
    if rotation % 90:
        raise ConfigError(f"the rotation is {rotation} degrees, not a multiple of 90", "use 0, 90, 180 or 270")
    name = name or (str(source) if isinstance(source, Path) else f"a file of {len(source)} bytes")
    with _explained(name):
        head = _head(source)
        if not head:
            raise ValueError("the file is empty")
        still = is_still(head)
        clips = rule.clips(1 if still else _count(source))
        if not clips:
            raise ValueError("it has fewer frames than one clip needs")
        if still:
            yield _still(source, rotation)
        else:
            yield from _decoded(source, {n: clip for clip, span in enumerate(clips) for n in span}, rotation)


def _head(source: Path | bytes) -> bytes:
    with _file(source) as file:
        return file.read(HEAD)


def _file(source: Path | bytes) -> BinaryIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Convert any error about a file into a DataError that names the file."""
    try:
        yield
    # str() of an FFmpeg error would end with the name of an anonymous stream, so strerror is used.
    except _failures() as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(
            f"{name} cannot be read: {reason}",
            "copy the file from the data set again, or leave it out, as rfmeta ingest --skip-unreadable does",
        ) from error


def _failures() -> tuple[type[Exception], ...]:
    """Return the classes of errors about a file. PyAV is not imported for still images, which do without it."""
    av = sys.modules.get("av")
    return (OSError, ValueError) if av is None else (av.FFmpegError, OSError, ValueError)


@contextmanager
def _opened(source: Path | bytes) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """Open a container and its video stream. Decode strictly, on one thread because processes share cores."""
    import av

    with _file(source) as file, av.open(file, "r", options={"format_whitelist": _FORMATS}) as container:
        if not container.streams.video:
            raise ValueError("it has no video stream")
        stream = container.streams.video[0]
        decoder = stream.codec_context
        if decoder.width * decoder.height > MAX_PIXELS:
            raise ValueError(
                f"its pictures claim to be {decoder.width}×{decoder.height}, above {MAX_PIXELS} pixels"
            )
        decoder.thread_count = 1
        decoder.options = {"err_detect": "explode", "max_pixels": str(MAX_PIXELS)}
        yield container, stream


def _count(source: Path | bytes) -> int:
    """Count the frames that a video shows, without decoding them where the container gives the number."""
    shown = _shown(source)
    with _opened(source) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise ValueError("none of its frames can be decoded")
        # A clip that was cut out of a longer one may begin with frames that depend on removed ones and are not
        # shown. In MPEG-4, a packet may say that its frame is left out. In both cases, all frames are decoded
        # to count them, which is cheap for MPEG-4.
        if stream.codec_context.name == "mpeg4" or any(time < (first.pts or 0) for time in shown):
            return 1 + sum(1 for _ in container.decode(stream))
    return len(shown)


def _shown(source: Path | bytes) -> list[int]:
    """Return when each frame is shown, in units of its stream. Raise ValueError if the file is cut short."""
    with _opened(source) as (container, stream):
        shown, present, start, end = [], 0, 0.0, 0.0
        for packet in container.demux(stream, *container.streams.audio):
            time, unit = packet.pts or 0, float(packet.time_base or 0)
            start, end = min(start, time * unit), max(end, (time + (packet.duration or 0)) * unit)
            if packet.stream_index != stream.index:
                continue
            if packet.is_corrupt:
                raise ValueError("it is cut short in the middle of a frame")
            present += bool(packet.size)
            if packet.size and not packet.is_discard:
                shown.append(time)
        with _file(source) as file:
            cut = is_cut_short(file, container.format.name)
        if cut or (cut is None and end - start + _SLACK < (container.duration or 0) / 1e6):
            raise ValueError(
                f"it is cut short after {present} frames, before the end that its header announces"
            )
        return shown


def _decoded(source: Path | bytes, wanted: Mapping[int, int], rotation: int) -> Iterator[Frame]:
    """Yield the frames whose numbers are in `wanted`, which maps them to their clips."""
    from av.video.reformatter import VideoReformatter

    converter, last, number = VideoReformatter(), max(wanted), -1
    with _opened(source) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                pixels = cast("Pixels", converter.reformat(frame, format="rgb24", threads=1).to_ndarray())
                orientation = Orientation(degrees=rotation % 360) if rotation % 360 else _said(frame)
                yield Frame(wanted[number], number, orientation.of_pixels(pixels), orientation)
            if number == last:
                return
    raise ValueError(f"only its first {number + 1} frames can be decoded, but frame {last} is needed")


def _said(frame: av.VideoFrame) -> Orientation:
    """Return the orientation that the container, or the stream, gives for a frame."""
    matrix = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
    return Orientation() if matrix is None else Orientation.of_matrix(bytes(matrix))


def _still(source: Path | bytes, rotation: int) -> Frame:
    """Return the picture of a still image, mirrored and turned as its EXIF block says or as `rotation` says."""
    pixels, said = decode_still(source if isinstance(source, bytes) else source.read_bytes())
    orientation = Orientation(degrees=rotation % 360) if rotation % 360 else said
    return Frame(0, 0, orientation.of_pixels(pixels), orientation)
