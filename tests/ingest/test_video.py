"""The right frames are read, upright, with another reader's pixels; damage always raises an error."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError, DataError
from rfmeta_dist.ingest.orientation import Orientation
from rfmeta_dist.ingest.video import Every, FrameRule, Spread, read_frames
from tests.ingest.clips import Pixels, read_by_opencv, tag_rotation, write_clip, write_still


def numbered(count: int, *, width: int = 64, height: int = 48) -> list[Pixels]:
    """Make pictures whose brightness is their number and whose upper left corner is red."""
    pictures = [np.full((height, width, 3), 40 + 6 * number, np.uint8) for number in range(count)]
    for picture in pictures:
        picture[: height // 2, : width // 2] = (255, 0, 0)
    return pictures


def corner(picture: Pixels) -> str:
    """Return which corner is red."""
    for name, y, x in (("upper left", 4, 4), ("upper right", 4, -5), ("lower right", -5, -5)):
        if picture[y, x, 0] > 180 and picture[y, x, 1] < 90:
            return name
    return "lower left"


@pytest.mark.parametrize("ending", [".avi", ".mov", ".mp4", ".mkv"])
def test_the_pixels_are_those_opencv_reads(tmp_path: Path, ending: str):
    path = write_clip(tmp_path / f"a{ending}", numbered(12))
    ours = [frame.pixels for frame in read_frames(path, Every(1))]
    theirs = read_by_opencv(path)
    assert len(ours) == len(theirs) == 12
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("rule", "total", "numbers"),
    [
        (Every(1), 4, [0, 1, 2, 3]),
        (Every(5), 12, [0, 5, 10]),
        (Spread(3), 12, [2, 6, 10]),
        (Spread(99), 4, [0, 1, 2, 3]),
        (Spread(2, length=3), 12, [2, 3, 4, 8, 9, 10]),
        (Spread(9, length=5), 11, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]),
        (Spread(7), 1, [0]),
    ],
)
def test_a_rule_takes_these_frames(tmp_path: Path, rule: FrameRule, total: int, numbers: list[int]):
    path = write_clip(tmp_path / "a.mp4", numbered(total))
    frames = list(read_frames(path, rule))
    assert [frame.number for frame in frames] == numbers
    brightness = [float(frame.pixels[-8:, -8:].mean()) for frame in frames]
    assert brightness == pytest.approx([40 + 6 * number for number in numbers], abs=3)


def test_clips_never_share_a_frame():
    for total in range(1, 60):
        for length in range(1, 8):
            for count in range(1, 9):
                clips = Spread(count, length).clips(total)
                taken = [number for clip in clips for number in clip]
                assert len(clips) == min(count, total // length)
                assert taken == sorted(set(taken))
                assert not taken or 0 <= taken[0] <= taken[-1] < total


def test_a_video_shorter_than_a_clip_is_refused(tmp_path: Path):
    path = write_clip(tmp_path / "short.mp4", numbered(3))
    with pytest.raises(DataError, match=r"short\.mp4 .* fewer frames than one clip"):
        list(read_frames(path, Spread(1, length=5)))


@pytest.mark.parametrize(("degrees", "where"), [(90, "upper right"), (180, "lower right"), (270, "lower left")])
def test_a_rotation_tag_is_obeyed(tmp_path: Path, degrees: int, where: str):
    path = tag_rotation(write_clip(tmp_path / "a.mp4", numbered(3)), degrees)
    frame = next(read_frames(path, Every(1)))
    assert (corner(frame.pixels), frame.orientation) == (where, Orientation(degrees=degrees))
    assert np.array_equal(frame.pixels, read_by_opencv(path)[0])


def test_a_given_rotation_replaces_the_tag(tmp_path: Path):
    plain = write_clip(tmp_path / "a.mp4", numbered(2))
    assert corner(next(read_frames(plain, Every(1), rotation=90)).pixels) == "upper right"
    tagged = tag_rotation(plain, 90)
    frame = next(read_frames(tagged, Every(1), rotation=180))
    assert (corner(frame.pixels), frame.pixels.shape) == ("lower right", (48, 64, 3))
    with pytest.raises(ConfigError, match="45 degrees"):
        next(read_frames(tagged, Every(1), rotation=45))


def test_frames_that_a_camera_dropped_are_no_damage(tmp_path: Path):
    path = tmp_path / "dropped.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number, picture in enumerate(numbered(12)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if number < 6 else number + 5
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert len(list(read_frames(path, Every(1)))) == 12


def test_frames_that_an_encoder_left_out_are_not_counted(tmp_path: Path):
    whole, path = write_clip(tmp_path / "whole.avi", numbered(12)), tmp_path / "sparse.avi"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        encoded = [bytes(packet) for packet in source.demux(video=0) if packet.size]
        encoded[4:4] = encoded[9:9] = [b"\0\0\1\xb6\x50\x4f"]  # MPEG-4 for "as before"
        for number, data in enumerate(encoded):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            target.mux(packet)
    numbers = [frame.number for frame in read_frames(path, Spread(6))]
    assert numbers == [1, 3, 5, 7, 9, 11]


def test_frames_that_an_edit_cut_away_are_not_counted(tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", numbered(20))
    data = bytearray(path.read_bytes())
    edit = data.index(b"elst") + 12
    duration, start = struct.unpack_from(">Ii", data, edit)
    struct.pack_into(">Ii", data, edit, duration // 2, start + 5 * 512)
    path.write_bytes(data)
    frames = list(read_frames(path, Spread(5)))
    assert [frame.number for frame in frames] == [1, 3, 5, 7, 9]
    shown = read_by_opencv(path)
    assert len(shown) == 10
    assert all(np.array_equal(frame.pixels, shown[frame.number]) for frame in frames)


@pytest.mark.parametrize("ending", [".avi", ".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_video_is_named(tmp_path: Path, ending: str, share: float):
    noise = np.random.default_rng(0).integers(0, 256, (80, 48, 64, 3), np.uint8)
    path = write_clip(tmp_path / f"cut{ending}", noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=rf"cut\{ending} cannot be read"):
        list(read_frames(path, Spread(2)))


def test_a_video_cut_between_two_frames_is_named(tmp_path: Path):
    path = write_clip(tmp_path / "cut.avi", numbered(20))
    with av.open(str(path)) as container:
        middle = [packet.pos for packet in container.demux(video=0) if packet.pos][9]
    path.write_bytes(path.read_bytes()[:middle])
    with pytest.raises(DataError, match="cut short after 9 frames"):
        list(read_frames(path, Every(1)))


def test_a_video_cut_within_its_last_frame_is_named_before_any_is_taken(tmp_path: Path):
    path = write_clip(tmp_path / "cut.avi", numbered(20))
    with av.open(str(path)) as container:
        last = [packet.pos for packet in container.demux(video=0) if packet.pos][-1]
    path.write_bytes(path.read_bytes()[: last + 20])
    with pytest.raises(DataError, match="cut short in the middle of a frame"):
        next(read_frames(path, Spread(2)))


# In H.264 any bits decode to something: only the source's hash tells.
@pytest.mark.parametrize("ending", [".avi", ".mov"])
def test_damage_within_a_video_is_named_and_not_painted_over(tmp_path: Path, ending: str):
    noise = np.random.default_rng(0).integers(0, 256, (20, 240, 320, 3), np.uint8)
    path = write_clip(tmp_path / f"bad{ending}", noise)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(data)
    assert len(read_by_opencv(path)) == 20  # others carry on with what they made up
    with pytest.raises(DataError, match=rf"bad\{ending} cannot be read"):
        list(read_frames(path, Every(1)))


NOT_VIDEOS = {
    "empty": b"",
    "text": b"not a video\n" * 300,
    "a cut PNG": b"\x89PNG\r\n\x1a\n\0\0",
    "a cut JPEG": b"\xff\xd8\xff\xe0\0",
}


@pytest.mark.parametrize("content", NOT_VIDEOS.values(), ids=NOT_VIDEOS.keys())
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes):
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"x\.mp4 cannot be read"):
        list(read_frames(path, Every(1)))
    with pytest.raises(DataError, match=r"s3://b/x\.mp4 cannot be read"):
        list(read_frames(content, Every(1), name="s3://b/x.mp4"))


def test_a_file_that_names_others_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_clip(tmp_path / "secret.mp4", numbered(3))
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")
    with pytest.raises(DataError, match=r"list\.mp4 cannot be read"):
        list(read_frames(Path("list.mp4"), Every(1)))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"gone\.mp4 cannot be read: No such file"):
        list(read_frames(tmp_path / "gone.mp4", Every(1)))


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_still_image_is_a_video_of_one_frame(tmp_path: Path, ending: str):
    (picture,) = numbered(1)
    path = write_still(tmp_path / f"a{ending}", picture)
    for source in (path, path.read_bytes()):
        (frame,) = read_frames(source, Spread(10), rotation=90)
        assert (frame.number, frame.pixels.shape, corner(frame.pixels)) == (0, (64, 48, 3), "upper right")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_damaged_image_is_refused(tmp_path: Path, ending: str):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    path = write_still(tmp_path / f"a{ending}", noise)
    data = path.read_bytes()
    middle = len(data) // 2
    for damaged in (data[:middle], data[:middle] + bytes(200) + data[middle + 200 :]):
        with pytest.raises(DataError, match="cannot be read"):
            list(read_frames(damaged, Every(1)))


def test_a_photo_that_says_it_lies_on_its_side_is_turned(tmp_path: Path):
    data = write_still(tmp_path / "a.jpg", numbered(1)[0]).read_bytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert corner(next(read_frames(data, Every(1))).pixels) == "upper right"
    assert corner(next(read_frames(data, Every(1), rotation=180)).pixels) == "lower right"


def test_a_decompression_bomb_is_refused_before_it_is_decoded():
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    with pytest.raises(DataError, match="claims to be 60000×60000 pixels"):
        list(read_frames(bomb, Every(1)))


@pytest.mark.parametrize("ending", [".avi", ".mov", ".mp4", ".mkv"])
def test_a_video_of_more_pixels_than_allowed_is_refused(tmp_path: Path, monkeypatch, ending: str):
    path = write_clip(tmp_path / f"large{ending}", numbered(3))
    monkeypatch.setattr("rfmeta_dist.ingest.video.MAX_PIXELS", 20 * 64 * 48)
    assert len(list(read_frames(path, Every(1)))) == 3
    monkeypatch.setattr("rfmeta_dist.ingest.video.MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(DataError, match=r"large\..* cannot be read: its pictures claim to be 64×48"):
        list(read_frames(path, Every(1)))


def test_a_long_video_is_never_held_whole(tmp_path: Path):
    path = write_clip(tmp_path / "long.mp4", (numbered(30, width=640, height=480) * 4))
    tracemalloc.start()
    count = sum(1 for _ in read_frames(path, Every(1)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 120
    assert peak < 10 * 640 * 480 * 3
