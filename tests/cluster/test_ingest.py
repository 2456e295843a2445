"""Real clips in an official layout, through the pipeline to shards; and through a SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfmeta_dist.cluster.ingest import Ingested, Order, ingest
from rfmeta_dist.core.errors import DataError
from rfmeta_dist.data.manifest import Manifest
from rfmeta_dist.data.stream import scan
from rfmeta_dist.data.verify import verify
from rfmeta_dist.ingest.crop import CropRule
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.video import Spread
from rfmeta_dist.storage.store import open_store
from tests.ingest.clips import moving, scene, write_clip, write_still

pytestmark = pytest.mark.usefixtures("cluster", "faces_installed")

MSU = [
    "scene01/real/real_client002_laptop_SD_scene01.mov",
    "scene01/attack/attack_client002_laptop_SD_ipad_video_scene01.mov",
    "scene01/real/real_client055_android_SD_scene01.mp4",
    "scene01/attack/attack_client055_android_SD_printed_photo_scene01.mp4",
    "scene01/real/real_client001_laptop_SD_scene01.mov",
    "scene01/attack/attack_client001_laptop_SD_iphone_video_scene01.mov",
]

TREES = {
    "oulu_npu": [
        f"{folder}_files/1_1_{user}_{kind}.avi"
        for folder, user in (("Train", "01"), ("Dev", "21"), ("Test", "36"))
        for kind in (1, 4)
    ],
    "casia_fasd": [
        f"{folder}_release/{subject}/{name}.avi"
        for folder, subject in (("train", 1), ("train", 16), ("test", 1))
        for name in ("1", "HR_3")
    ],
    "replay_attack": [
        path.format(split, client)
        for split, client in (("train", "001"), ("devel", "003"), ("test", "009"))
        for path in (
            "{}/real/client{}_session01_webcam_authenticate_adverse_1.mov",
            "{}/attack/hand/attack_print_client{}_session01_highdef_photo_controlled.mov",
        )
    ],
}


@pytest.fixture(scope="module")
def faces_installed() -> None:
    from rfmeta_dist.core.errors import ConfigError
    from rfmeta_dist.ingest.models import install

    try:
        install()
    except ConfigError as error:
        pytest.skip(f"the face models cannot be had: {error}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A corner of MSU-MFSD, of real clips."""
    root = tmp_path / "msu"
    for number, path in enumerate(MSU):
        write_clip(root / path, moving(number % 3, 6))
    return root


def run(root: Path, out: Path, layout: str = "msu_mfsd", domain: str = "M", **options) -> Ingested:
    order = Order(layout, root, str(out), domain, Spread(2), CropRule(size=64), **options)
    return ingest(order, LAYOUTS[layout].survey(root, domain), 2, lambda done, total: None)


def shards(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_clips_become_whole_shards_and_the_same_input_the_same_bytes(source, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    done = run(source, first)
    assert done.manifest.counts == {
        split: {"live": 2, "attack": 2} for split in ("train", "validation", "test")
    }
    assert verify(open_store(str(first)), "M") == []
    assert sum(t.read for t in done.tallies) == 12
    assert run(source, second).manifest.fingerprint == done.manifest.fingerprint
    assert shards(first) == shards(second)
    contract = Manifest.open(open_store(str(first)), "M").contract
    assert contract.keys() >= {"layout", "frames", "crop", "models", "source", "depth", "colour", "encoding"}


@pytest.mark.parametrize("layout", TREES)
def test_every_layout_goes_from_clips_to_shards(layout, tmp_path):
    for number, path in enumerate(TREES[layout]):
        write_clip(tmp_path / "source" / path, moving(number % 3, 4))
    done = run(tmp_path / "source", tmp_path / "out", layout, "X")
    assert done.manifest.counts == {
        split: {"live": 2, "attack": 2} for split in ("train", "validation", "test")
    }
    store = open_store(str(tmp_path / "out"))
    for batch in scan(store, done.manifest, None, image_size=64, batch=12):
        nearest = batch.depth.reshape(len(batch.label), -1).max(axis=1)
        assert ((nearest > 200) == (batch.label == 1)).all()


def test_a_clip_that_does_not_decode_is_named_and_can_be_left_out(source, tmp_path):
    (source / MSU[0]).write_bytes(b"not a film")
    with pytest.raises(DataError, match="real_client002_laptop"):
        run(source, tmp_path / "out")
    done = run(source, tmp_path / "out", skip_unreadable=True)
    assert [t.path for t in done.tallies if t.error] == [MSU[0]]
    assert done.manifest.counts["train"] == {"attack": 2}
    assert done.manifest.contract["unreadable"] == [MSU[0]]


def test_frames_without_a_face_are_counted_and_left_out(source, tmp_path):
    write_clip(source / MSU[0], [scene() for _ in range(6)])
    done = run(source, tmp_path / "out")
    assert [(t.path, len(t.faceless)) for t in done.tallies if t.faceless] == [(MSU[0], 2)]
    assert done.manifest.contract["frames_without_face"] == 2


def test_plain_images_with_a_table_are_a_data_set(tmp_path):
    root = tmp_path / "ours"
    lines = ["path,label,attack_type,subject,video,split"]
    for number, split in enumerate(("train", "validation", "test")):
        for label in ("live", "attack"):
            name = f"{split}-{label}.png"
            write_still(root / name, scene((number, 100, 80)))
            lines.append(
                f"{name},{label},{'live' if label == 'live' else 'print'},s{number},v{number}{label},{split}"
            )
    (root / "labels.csv").write_text("\n".join(lines))
    done = run(root, tmp_path / "out", layout="folder", domain="X")
    assert done.manifest.counts == {
        split: {"live": 1, "attack": 1} for split in ("train", "validation", "test")
    }


def test_an_ingest_killed_with_sigkill_goes_on_without_loss_or_repetition(source, tmp_path):
    whole = run(source, tmp_path / "whole")
    out = tmp_path / "out"
    command = ["ingest", "msu_mfsd", str(source), "--out", str(out), "--size", "64", "--frames", "2"]
    command += ["--accept-counts", "--workers", "1"]
    program = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()", *command]
    process = subprocess.Popen(program, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.rglob("staging-*/*.parquet")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not list(out.rglob("manifest-*"))
    kept = {p.name: p.stat().st_mtime_ns for p in out.rglob("staging-*/*.parquet")}
    assert 1 <= len(kept) < len(MSU)
    finished = subprocess.run([*program, "--json"], check=True, capture_output=True, text=True)
    assert json.loads(finished.stdout)["manifest"] == whole.manifest.fingerprint
    assert shards(out) == shards(tmp_path / "whole")
