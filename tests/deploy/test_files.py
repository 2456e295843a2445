"""A walk meets every file once in one order, goes on from any of them, and is not held up by what it meets."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from rfmeta_dist.deploy.files import Parts, kind, opened, shown, walk
from rfmeta_dist.deploy.results import Refused
from tests.ingest.clips import CODECS, moving, write_clip


def grow(top: Path, seed: int) -> None:
    """A tree with names that sort differently as text, as bytes, and as whole paths."""
    rng = random.Random(seed)
    names = [b"a", b"a.b", b"a b", b"A", b"\xff\xfe", "é".encode(), b"z\n", b"-", b"10", b"9", b"a-b"]
    folders = [os.fsencode(top)]
    for name in rng.sample(names, len(names)):
        place = rng.choice(folders)
        if rng.random() < 0.4:
            os.mkdir(os.path.join(place, name))
            folders.append(os.path.join(place, name))
        for leaf in rng.sample(names, 3):
            path = os.path.join(rng.choice(folders), b"file-" + leaf)
            if not os.path.lexists(path):
                Path(os.fsdecode(path)).write_bytes(b"")


def paths(top: Path, after: Parts | None = None) -> list[Parts]:
    return [entry.parts for entry in walk(str(top), after)]


@pytest.mark.parametrize("seed", range(8))
def test_a_walk_goes_on_after_any_file_even_if_that_is_gone(tmp_path: Path, seed: int):
    grow(tmp_path, seed)
    found = paths(tmp_path)
    assert sorted(found) == sorted(p.relative_to(tmp_path).parts for p in tmp_path.rglob("*") if p.is_file())
    assert [[os.fsencode(part) for part in parts] for parts in found] == sorted(
        [os.fsencode(part) for part in parts] for parts in found
    )
    for place, parts in enumerate(found):
        assert paths(tmp_path, parts) == found[place + 1 :]
    for place, parts in enumerate(found[:-1]):
        tmp_path.joinpath(*parts).unlink()
        assert paths(tmp_path, parts) == found[place + 1 :]


def test_links_lead_neither_in_a_circle_nor_twice_into_a_folder(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/photo.jpg").write_bytes(b"x")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to("itself")
    (tmp_path / "again").symlink_to("a/b/photo.jpg")
    (tmp_path / "nothing").symlink_to("missing")
    reasons = {}
    for entry in walk(str(tmp_path)):
        with opened(str(tmp_path.joinpath(*entry.parts))) as file:
            reasons[entry.name] = file.reason if isinstance(file, Refused) else "opened"
    assert reasons == {
        "a/b/photo.jpg": "opened",
        "a/b/up": "link",
        "again": "opened",
        "itself": "link",
        "nothing": "gone",
    }


def test_a_tree_that_is_deeper_than_calls_can_be_is_walked(tmp_path: Path):
    depth, place = 1200, os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):  # the whole path would be too long for one call
        os.mkdir("d", dir_fd=place)
        inner = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(os.open("photo.jpg", os.O_CREAT, dir_fd=place))
    os.close(place)
    try:
        assert [len(parts) for parts in paths(tmp_path)] == [depth + 1]
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest cannot delete it


def test_a_pipe_and_a_device_are_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero")):
        with opened(str(path)) as file:
            assert isinstance(file, Refused)
            assert file.reason == "no_file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_named(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        (entry,) = walk(str(tmp_path))
    finally:
        closed.chmod(0o700)
    assert entry.parts == ("closed",)
    assert entry.problem is not None
    assert entry.problem.reason == "unreadable"


def test_a_folder_that_vanishes_during_the_walk_is_named(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "photo.jpg").write_bytes(b"")
    found = walk(str(tmp_path))
    assert next(found).name == "a/photo.jpg"
    (tmp_path / "b/photo.jpg").unlink()
    (tmp_path / "b").rmdir()
    (entry,) = found
    assert (entry.name, entry.problem and entry.problem.reason) == ("b", "gone")


@pytest.mark.parametrize("ending", CODECS)
def test_videos_are_known_by_their_first_bytes(tmp_path: Path, ending: str):
    path = write_clip(tmp_path / f"clip{ending}", moving(0, 2))
    assert kind(path.read_bytes()[:200]) == "video"


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "unreadable"),
        (b"GIF89a" + bytes(90), "unreadable"),
        (b"\0\0\0\x18ftypheic" + bytes(90), "unreadable"),
        (b"II*\0" + bytes(90), "unreadable"),
        (b"path,label\n" * 20, "no_picture"),
        (bytes(200), "no_picture"),
        (b"PK\x03\x04", "no_picture"),
        (b"G", "no_picture"),
    ],
)
def test_other_files_are_refused_by_their_first_bytes(head: bytes, reason: str):
    found = kind(head)
    assert isinstance(found, Refused)
    assert (found.reason, found.words[-1]) == (reason, ".")


def test_names_are_shown_as_valid_text():
    assert shown(os.fsdecode(b"\xff\xc3\xa9.jpg")) == "\\xffé.jpg"
