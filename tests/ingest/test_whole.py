"""A complete clip is never taken for one that is cut short, whatever its header says; a cut one always is."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.ingest.video import Every, Spread, read_frames
from tests.ingest.clips import CODECS, Pixels

FRAMES = 30
SOUND = {".mp4": "aac", ".mov": "aac", ".mkv": "aac", ".avi": "pcm_s16le", ".webm": "libopus"}
CROSSED = {"x264-params": "bframes=2:b-adapt=0:scenecut=0:open-gop=1:keyint=10"}  # frames out of order
LIVE = {"live": "1"}
FIRST = {"movflags": "faststart"}
PIECES = {"movflags": "frag_keyframe+empty_moov"}


def write(
    path: Path,
    codec: str | None = None,
    *,
    times: Sequence[int] = range(FRAMES),
    clock: int = 25,
    sound: float = 0.0,
    container: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip of noise with a frame at each of these times, in ticks of a clock, and seconds of silence."""
    noise = np.random.default_rng(0).integers(0, 256, (len(times), 48, 64, 3), np.uint8)
    codec = codec or {**CODECS, ".webm": "libvpx"}[path.suffix]
    with av.open(str(path), "w", options=container or {}) as target:
        stream = target.add_stream(codec, rate=25, options={"threads": "1", "g": "10", **(options or {})})
        stream.height, stream.width = 48, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, clock)
        audio = target.add_stream(SOUND[path.suffix], rate=48000) if sound else None
        for picture, time in zip(noise, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, clock)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
        for start in range(0, int(sound * 48000), 960) if audio else ():
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
            silence.rate, silence.pts, silence.time_base = 48000, start, Fraction(1, 48000)
            target.mux(audio.encode(silence))
        if audio:
            target.mux(audio.encode())
    return path


def read(source: Path | bytes) -> list[Pixels]:
    return [frame.pixels for frame in read_frames(source, Every(1), name="the clip")]


def put(data: bytes, place: int, number: int) -> bytes:
    return data[:place] + struct.pack("<I", number & 0xFFFFFFFF) + data[place + 4 :]


def counted(data: bytes, by: int | None) -> bytes:
    """An AVI whose headers count so many frames more, or none at all."""
    stream, main = data.index(b"strh") + 8, data.index(b"avih") + 8
    number = 0 if by is None else struct.unpack_from("<I", data, stream + 32)[0] + by
    return put(put(data, stream + 32, number), main + 16, number)


def dropped_at_end(data: bytes) -> bytes:
    """An AVI whose last frames were dropped: chunks without content, in the header's count and the index."""
    lists, index = data.index(b"movi") - 4, data.rindex(b"idx1")
    length = struct.unpack_from("<I", data, index + 4)[0]
    last, size = struct.unpack_from("<II", data, index + 8 + length - 8)
    after = last + 8 + size + size % 2
    entries = b"".join(struct.pack("<4sIII", b"00dc", 0, after + 8 * number, 0) for number in range(6))
    tail = b"idx1" + struct.pack("<I", length + len(entries)) + data[index + 8 : index + 8 + length] + entries
    grown = put(data[:index], lists, struct.unpack_from("<I", data, lists)[0] + 48) + b"00dc\0\0\0\0" * 6 + tail
    return counted(put(grown, 4, len(grown) - 8), 6)


def without_index(data: bytes) -> bytes:
    return data[: data.rindex(b"idx1")]


def careless(place: bytes, by: int | None, *, index: bool = True) -> Callable[[bytes], bytes]:
    """An AVI whose list of that kind is so many bytes longer in its header than in truth, or of no length."""

    def change(data: bytes) -> bytes:
        at = 4 if place == b"RIFF" else data.index(place) - 4
        data = data if index else without_index(data)
        length = struct.unpack_from("<I", data, at)[0]
        return put(data, at, 0xFFFFFFFF if by is None else length + by)

    return change


ODD_AVIS: dict[str, Callable[[bytes], bytes]] = {
    **{f"counts {by:+}": lambda data, by=by: counted(data, by) for by in (-2, -1, 1, 2, 20)},
    "counts none": lambda data: counted(data, None),
    "dropped at the end": dropped_at_end,
    "no index": without_index,
    "counts itself": careless(b"RIFF", 8),
    "never finished": careless(b"RIFF", None),
    "list counts itself": careless(b"movi", 8, index=False),
    "list never finished": careless(b"movi", None, index=False),
    "padded": lambda data: data + bytes(4096),
}


@pytest.mark.parametrize("codec", ["mpeg4", "mjpeg", "libx264"])
@pytest.mark.parametrize("change", ODD_AVIS.values(), ids=ODD_AVIS.keys())
def test_an_avi_whose_header_is_careless_is_whole(tmp_path: Path, codec: str, change: Callable[[bytes], bytes]):
    data = write(tmp_path / "a.avi", codec).read_bytes()
    assert np.array_equal(read(change(data)), read(data))
    assert len(read(data)) == FRAMES


@pytest.mark.parametrize("ending", SOUND)
@pytest.mark.parametrize("sound", [0.5, 4.0])
def test_sound_may_be_shorter_or_longer_than_the_pictures(tmp_path: Path, ending: str, sound: float):
    assert len(read(write(tmp_path / f"a{ending}", sound=sound))) == FRAMES


TIMES = {
    "late": [25 + 2 * number for number in range(FRAMES)],
    "variable": np.cumsum([2 + number * number % 5 for number in range(FRAMES)]).tolist(),
    "with a gap": [number + 40 * (number > 12) for number in range(FRAMES)],
}


@pytest.mark.parametrize(("ending", "codec"), [*CODECS.items(), (".webm", "libvpx"), (".avi", "libx264")])
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES.keys())
def test_frames_may_start_late_and_come_unevenly(tmp_path: Path, ending: str, codec: str, times: list[int]):
    assert len(read(write(tmp_path / f"a{ending}", codec, times=times, clock=50))) == FRAMES


@pytest.mark.parametrize("ending", [".mkv", ".mp4", ".mov"])
def test_a_clip_cut_out_of_a_longer_one_begins_with_the_first_frame_that_can_be_shown(
    tmp_path: Path, ending: str
):
    whole, path = write(tmp_path / "whole.mkv", options=CROSSED), tmp_path / f"a{ending}"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number >= 4:  # the next one that hangs on no other is the tenth
                packet.stream = stream
                target.mux(packet)
    found = read(path)
    assert len(found) == 20
    assert np.array_equal(found, read(whole)[10:])
    assert [frame.number for frame in read_frames(path, Spread(2))] == [5, 15]


def test_frames_before_the_start_of_time_are_counted(tmp_path: Path):
    whole, path = write(tmp_path / "whole.mp4", options=CROSSED), tmp_path / "a.mkv"
    with av.open(str(whole)) as source, av.open(str(path), "w", options={"avoid_negative_ts": "0"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - 5000, packet.dts - 5000, stream
                target.mux(packet)
    assert np.array_equal(read(path), read(whole))


def open_ended(data: bytes) -> bytes:
    """A live recording as browsers write it: no cluster says how long it is."""
    return re.sub(
        rb"\x1f\x43\xb6\x75([\x80-\xff]|[\x40-\x7f].|[\x20-\x3f]..|\x01.{7})",
        b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7,
        data,
        flags=re.DOTALL,
    )


CUT = {
    "AVI with sound": (".avi", {"sound": 1.2}),
    "AVI that counts none": (".avi", {}),
    "MP4, header first": (".mp4", {"container": FIRST}),
    "MP4, header first, long sound": (".mp4", {"container": FIRST, "sound": 4.0}),
    "MP4 in pieces": (".mp4", {"container": PIECES}),
    "MOV, header first": (".mov", {"container": FIRST}),
    "Matroska, long sound": (".mkv", {"sound": 4.0}),
    "Matroska, live": (".mkv", {"container": LIVE}),
    "WebM of a browser": (".webm", {"container": LIVE}),
}


@pytest.mark.parametrize("kind", CUT)
def test_a_clip_that_is_cut_is_refused_wherever_it_is_cut(tmp_path: Path, kind: str):
    ending, how = CUT[kind]
    data = write(tmp_path / f"a{ending}", **how).read_bytes()
    if kind == "AVI that counts none":
        data = counted(data, None)
    if kind == "WebM of a browser":
        data = open_ended(data)
    assert len(read(data)) == FRAMES
    end = data.rindex(b"idx1") if ending == ".avi" else len(data)
    for share in np.linspace(0.25, 0.97, 19):
        with pytest.raises(DataError, match="the clip cannot be read"):
            read(data[: int(end * share)])
