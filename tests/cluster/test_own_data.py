"""A folder of pictures from anywhere, with a table from anywhere, through the command line to shards."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.decode import decode_depth
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.unpack import unpack
from rfmeta_dist.storage.store import open_store
from tests.ingest.clips import FACE, Pixels, person, scene
from tests.ingest.test_still import JPEG_TAG

pytestmark = pytest.mark.usefixtures("cluster", "faces_installed")


def small(number: int) -> Pixels:
    """A portrait of 200×260."""
    picture = np.full((260, 200, 3), 120, np.uint8)
    picture[50 : 50 + FACE, 4 : 4 + FACE] = person(number)
    return picture


def wide(number: int) -> Pixels:
    """640×480, the face to the right."""
    return scene((number, 360, 200), width=640, height=480)


def encoded(ending: str, picture: np.ndarray) -> bytes:
    return cv2.imencode(ending, picture[..., ::-1] if picture.ndim == 3 else picture)[1].tobytes()


def grey(picture: Pixels) -> Pixels:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def deep(picture: Pixels) -> np.ndarray:
    return picture.astype(np.uint16) * 257


def see_through(picture: Pixels) -> bytes:
    return cv2.imencode(".png", np.dstack([picture[..., ::-1], np.full(picture.shape[:2], 200, np.uint8)]))[1]


def cmyk(picture: Pixels) -> bytes:
    inks = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    return simplejpeg.encode_jpeg(inks, 95, "CMYK", "444")


def lying(picture: Pixels) -> bytes:
    """A photo on its side, that says so."""
    data = encoded(".jpg", np.rot90(picture))
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(JPEG_TAG) + 2) + JPEG_TAG + data[2:]


@cache
def pictures() -> list[tuple[str, str, bytes, str, str, str, str]]:
    """Path in the table and on disk, content, label, attack type, subject, split."""
    return [
        ("small\\p 1.jpg", "small/p 1.jpg", encoded(".jpg", small(0)), "real", "", "007", "Train"),
        (
            "small\\p 2.jpg",
            "small/p 2.jpg",
            encoded(".jpg", small(1)),
            "Spoof",
            "Printed photo",
            "7",
            "training",
        ),
        ("web cam/Größe.JPG", "web cam/Größe.JPG", encoded(".jpg", wide(0)), "1", "live", "8", "train"),
        ("img.PNG", "IMG.png", encoded(".png", wide(1)), "0", "3D mask", "Ann Lee", "train"),
        ("grey.png", "grey.png", encoded(".png", grey(wide(2))), "bonafide", "none", "b", "dev"),
        ("deep.png", "deep.png", encoded(".png", deep(wide(0))), "fake", "deep fake", "b", "val"),
        ("clear.png", "clear.png", see_through(wide(1)), "live", "", "c", "validation"),
        ("ink.jpeg", "ink.jpeg", cmyk(wide(1)), "live", "", "d", "test"),
        ("phone.jpg", "phone.jpg", lying(wide(1)), "live", "", "d", "test"),
        ("win.bmp", "win.bmp", encoded(".bmp", wide(1)), "live", "", "d", "test"),
        ("web.webp", "web.webp", encoded(".webp", wide(1)), "attack", "", "e", "testing"),
        ("nobody.jpg", "nobody.jpg", encoded(".jpg", scene()), "live", "", "f", "test"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As people have them: a table out of Excel, and files that it does not name."""
    root = tmp_path / "ours"
    rows = ["path,label,attack_type,subject,video,split"]
    for given, path, content, *said in pictures():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        label, kind, subject, split = said
        rows.append(f"{given},{label},{kind},{subject},,{split}")
    (root / "labels.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n")
    (root / "logo.png").write_bytes(pictures()[0][2])
    return root


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable:
    """`rfmeta ingest folder …`, in this process: its exit code, result and messages."""
    from rfmeta_dist.cli import main

    def run(root: Path, *options: str) -> tuple[int, dict, str]:
        command = ["rfmeta", "ingest", "folder", str(root), "--out", str(tmp_path / "out"), "--json"]
        monkeypatch.setattr(sys, "argv", [*command, "--size", "64", "--workers", "2", *options])
        with pytest.raises(SystemExit) as ending:
            main()
        out, err = capsys.readouterr()
        return int(ending.value.code or 0), json.loads(out) if out else {}, err

    return run


def crops(out: Path) -> dict[str, Pixels]:
    """The images by the video they come from."""
    manifest = Manifest.open(open_store(str(out)), "F")
    batches = scan(open_store(str(out)), manifest, None, image_size=64, batch=8)
    return {k.rsplit("-", 1)[0]: i for b in batches for k, i in zip(b.keys, b.image, strict=True)}


def test_pictures_of_any_kind_with_a_table_of_any_spelling(folder, ingest, tmp_path):
    code, result, said = ingest(folder)
    assert code == 0, said
    assert result["counts"] == {
        "train": {"live": 2, "attack": 2},
        "validation": {"live": 2, "attack": 1},
        "test": {"live": 3, "attack": 1},
    }
    assert result["without_face"] == {"nobody.jpg": [0]}
    assert "1 file(s) are not in labels.csv and are left out: logo.png" in said
    assert "attack types that are not built in are kept as types of their own: deep_fake (1)" in said
    table = Manifest.open(open_store(str(tmp_path / "out")), "F").samples.to_pylist()
    assert {row["subject_id"] for row in table} >= {"F-7", "F-8", "F-b", "F-c", "F-d", "F-e"}
    kinds = {row["video_id"]: row["attack_type"] for row in table}
    assert set(kinds.values()) == {"live", "print", "mask", "deep_fake", "other"}
    assert (kinds["F-IMG"], kinds["F-deep"], kinds["F-web"]) == ("mask", "deep_fake", "other")
    # Whatever it came in, the same picture gives the same crop, upright and in its colours.
    found = crops(tmp_path / "out")
    for name in ("F-clear", "F-ink", "F-phone", "F-web"):
        assert np.abs(found[name].astype(int) - found["F-win"]).mean() < 4, name
    assert (
        np.ptp(found["F-grey"].astype(int), axis=2).mean()
        < 3
        < np.ptp(found["F-win"].astype(int), axis=2).mean()
    )


def test_depth_may_come_with_some_of_the_pictures(folder, ingest, tmp_path):
    slope = np.tile(np.linspace(40, 250, 320), (240, 1))
    (folder / "ink depth.png").write_bytes(encoded(".png", slope.astype(np.uint8)))
    (folder / "win_depth.png").write_bytes(encoded(".png", (slope * 257).astype(np.uint16)))
    lines = (folder / "labels.csv").read_text("utf-8-sig").splitlines()
    depths = {"ink.jpeg": "ink depth.png", "win.bmp": ".\\win_depth.png"}
    rows = [f"{line},{depths.get(line.split(',')[0], '')}" for line in lines[1:]]
    (folder / "labels.csv").write_text("\n".join([f"{lines[0]},depth", *rows]))
    code, _, said = ingest(folder)
    assert code == 0, said
    assert "depth" not in said
    store = open_store(str(tmp_path / "out"))
    manifest = Manifest.open(store, "F")
    found = {}
    for shard in manifest.shards:
        for sample in unpack(store.read(f"F/{shard.name}"), manifest.rows(shard), shard.name):
            found[sample.row["video_id"]] = decode_depth(sample.depth).astype(int)
    for name in ("F-ink", "F-win"):
        steps = np.diff(found[name], axis=1)
        assert steps.min() >= 0
        assert np.ptp(found[name], axis=0).max() <= 1
        assert 100 < found[name].mean() < 250  # the face is on the right
    assert found["F-phone"][0, 0] == 0 < found["F-phone"].max()  # from its landmarks


def test_pictures_without_a_face_are_listed_and_not_fatal_until_none_is_left(folder, ingest, tmp_path):
    lines = (folder / "labels.csv").read_text("utf-8-sig").splitlines()
    for number in range(12):
        (folder / f"wall {number}.jpg").write_bytes(encoded(".jpg", scene()))
        lines.append(f"wall {number}.jpg,live,,f,,test")
    (folder / "labels.csv").write_text("\n".join(lines))
    code, result, _ = ingest(folder)
    assert (code, len(result["without_face"])) == (0, 13)
    (folder / "labels.csv").write_text("\n".join([lines[0], *lines[-12:]]))
    code, _, said = ingest(folder)
    assert code == 3
    assert "error no face was found in any of 12 frame(s) of 12 recording(s)" in said.splitlines()[-1]


def test_what_cannot_be_read_is_listed_above_one_line(folder, ingest):
    good = (folder / "small/p 1.jpg").read_bytes()
    (folder / "small/p 1.jpg").write_bytes(good[: len(good) // 2])
    (folder / "win.bmp").write_bytes(b"BM not a picture")
    code, _, said = ingest(folder)
    assert code == 3
    *listed, error = said.splitlines()[-3:]
    assert [line.split(" cannot be read: ")[0] for line in listed] == ["  small/p 1.jpg", "  win.bmp"]
    assert error.startswith("error 2 recording(s) cannot be read; replace them")
    code, result, _ = ingest(folder, "--skip-unreadable")
    assert (code, list(result["unreadable"])) == (0, ["small/p 1.jpg", "win.bmp"])
    (folder / "grey.png").unlink()
    code, _, said = ingest(folder)
    assert code == 3
    assert said.splitlines()[-3:-1] == ["  missing: 1", "    grey.png"]
    error = "error the files differ from those that the data set's own lists name; restore or rename"
    assert said.splitlines()[-1].startswith(error)
