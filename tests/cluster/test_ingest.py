"""Real clips in an official layout, through the pipeline to shards; and through a SIGKILL."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import ray

from rfmeta_dist.cluster.ingest import Ingested, ingest
from rfmeta_dist.cluster.ingest_order import Order
from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.verify import verify
from rfmeta_dist.ingest.crop import CropRule, Native
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.video import Spread
from rfmeta_dist.storage.store import open_store
from tests.cluster.conftest import kill_when_staged
from tests.ingest.clips import moving, scene, write_clip
from tests.ingest.small_sets import ANNOTATE, MSU, PATHS, crowd, is_blue, write_set

RULE = CropRule(size=64)

pytestmark = pytest.mark.usefixtures("cluster", "faces_installed")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corner of MSU-MFSD, of real clips of one person each; not to be changed."""
    root = tmp_path_factory.mktemp("clean")
    for number, path in enumerate(MSU):
        write_clip(root / path, moving(number % 3, 6))
    return root


@pytest.fixture
def source(clean: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(clean, tmp_path / "msu"))


@pytest.fixture(scope="module")
def whole(cluster: None, faces_installed: None, clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an undisturbed ingest of it leaves; not to be changed."""
    out = tmp_path_factory.mktemp("whole")
    run(clean, out)
    return out


def run(
    root: Path,
    out: Path,
    layout: str = "msu_mfsd",
    domain: str = "M",
    on_done=lambda *_: None,
    rule: CropRule = RULE,
    alone_s: float = 0.0,
    **options,
) -> Ingested:
    order = Order(layout, root, str(out), domain, Spread(2), rule, **options)
    return ingest(order, LAYOUTS[layout].survey(root, domain), 2, on_done, alone_s=alone_s)


def images(done: Ingested, out: Path) -> dict[str, np.ndarray]:
    """The crops by key."""
    batches = scan(open_store(str(out)), done.manifest, None, image_size=64, batch=8)
    return {key: image for batch in batches for key, image in zip(batch.keys, batch.image, strict=True)}


def shards(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_clips_become_whole_shards_and_the_same_input_the_same_bytes(clean, whole, tmp_path):
    done = run(clean, tmp_path / "again")
    assert done.manifest.counts == {
        split: {"live": 2, "attack": 2} for split in ("train", "validation", "test")
    }
    assert sum(t.read for t in done.tallies) == 12
    store = open_store(str(whole))
    assert verify(store, "M") == []
    assert Manifest.open(store, "M").fingerprint == done.manifest.fingerprint
    assert shards(whole) == shards(tmp_path / "again")
    assert done.manifest.contract.keys() >= {"layout", "frames", "crop", "models", "source", "depth", "colour"}


def test_a_small_ingest_needs_no_ray_and_gives_the_same_bytes(clean, whole, tmp_path):
    code = "import sys; sys.modules['ray'] = None; from rfmeta_dist.cli import main; main()"
    options = ["--out", str(tmp_path), "--size", "64", "--frames", "2", "--accept-counts"]
    program = [sys.executable, "-c", code, "ingest", "msu_mfsd", str(clean), *options]
    subprocess.run(program, check=True, capture_output=True)
    assert shards(tmp_path) == shards(whole)


def test_recordings_left_when_the_time_is_up_are_processed_on_ray(clean, whole, tmp_path):
    seen: list[int] = []
    run(clean, tmp_path, on_done=lambda done, _: seen.append(done), alone_s=1e-3)
    assert seen == list(range(len(MSU) + 1))
    assert shards(tmp_path) == shards(whole)


# Annotations and protocols, neither of both, clips that lie on their side, stills. How each layout is read,
# tests/ingest says.
FAST = {"oulu_npu", "casia_fasd", "replay_mobile", "celeba_spoof"}


@pytest.mark.parametrize(
    "layout", [name if name in FAST else pytest.param(name, marks=pytest.mark.drill) for name in PATHS]
)
def test_every_layout_goes_from_recordings_to_shards(layout, tmp_path):
    source = write_set(tmp_path / "source", layout)
    done = run(source, tmp_path / "out", layout, "X")
    assert done.manifest.counts == {
        split: {"live": 2, "attack": 2} for split in ("train", "validation", "test")
    }
    store = open_store(str(tmp_path / "out"))
    assert verify(store, "X") == []
    protocols = {r.video: " ".join(sorted(r.protocols)) for r in LAYOUTS[layout].find(source, "X")}
    assert any(protocols.values()) == (layout not in ("casia_fasd", "msu_mfsd"))
    for row in Manifest.open(store, "X").samples.to_pylist():
        assert row.get("protocols", "") == protocols[row["video_id"]]
    assert done.manifest.contract["frames_with_several_faces"] == done.manifest.contract["frames_read"] == 12
    for batch in scan(store, done.manifest, None, image_size=64, batch=12):
        for image, depth, label in zip(batch.image, batch.depth, batch.label, strict=True):
            # Annotated, the smaller of two people is meant; else the larger is taken.
            assert is_blue(image) == (layout in ANNOTATE)
            row, column = np.unravel_index(depth.argmax(), depth.shape)  # of 8 and 8
            assert depth.max() > 200 if label else not depth.any()
            assert not label or (2 <= row < 6 and 2 <= column < 6), "the nearest point is not in the middle"


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


def test_empty_and_vanished_files_can_be_left_out(source, tmp_path):
    (source / MSU[0]).write_bytes(b"")
    (source / MSU[2]).unlink()
    (source / MSU[2]).symlink_to("gone")
    with pytest.raises(DataError, match="2 recording"):
        run(source, tmp_path / "out")
    done = run(source, tmp_path / "out", skip_unreadable=True)
    errors = {t.path: t.error for t in done.tallies if t.error}
    assert errors.keys() == {MSU[0], MSU[2]}
    assert "the file is empty" in errors[MSU[0]]
    assert "is a link to a missing file" in errors[MSU[2]]
    assert verify(open_store(str(tmp_path / "out")), "M") == []


def test_a_repaired_file_is_read_again_though_nothing_else_shows_it(source, whole, tmp_path):
    path = source / MSU[0]
    data, times = path.read_bytes(), (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(bytes(len(data)))
    os.utime(path, ns=times)
    with pytest.raises(DataError, match="real_client002_laptop"):
        run(source, tmp_path / "out")
    path.write_bytes(data)
    os.utime(path, ns=times)
    run(source, tmp_path / "out")
    assert shards(tmp_path / "out") == shards(whole)


def test_a_clip_of_one_frame_gives_one_sample(source, tmp_path):
    write_clip(source / MSU[0], moving(0, 1))
    done = run(source, tmp_path / "out")
    assert done.manifest.counts["train"] == {"live": 1, "attack": 2}


def test_of_two_people_the_larger_is_taken_and_the_crowd_counted(source, tmp_path):
    write_clip(source / MSU[0], [crowd(0)] * 6)
    alone = run(source, tmp_path / "alone")  # annotated by nothing, so both of the frames are crowded
    assert [(t.path, len(t.crowded)) for t in alone.tallies if t.crowded] == [(MSU[0], 2)]
    assert not is_blue(images(alone, tmp_path / "alone")[f"M-{Path(MSU[0]).stem}-00001"])


def test_clips_that_were_stored_upside_down_come_out_upright(source, tmp_path):
    """The phone stored the live clips of client 3 so, and only these."""
    name = "scene01/{0}/{0}_client003_android_SD_{1}scene01.mp4"
    upright, turned = name.format("attack", "ipad_video_"), name.format("real", "")
    write_clip(source / upright, moving(1, 4))
    write_clip(source / turned, [np.ascontiguousarray(picture[::-1, ::-1]) for picture in moving(1, 4)])
    found = images(run(source, tmp_path / "out"), tmp_path / "out")
    pairs = [[found[f"M-{Path(path).stem}-0000{n}"].astype(int) for path in (upright, turned)] for n in (1, 3)]
    for one, other in pairs:
        assert np.abs(one - other).mean() < 6 < np.abs(one - other[::-1, ::-1]).mean()


def test_a_source_without_any_face_says_so(source, tmp_path):
    for path in MSU:
        write_clip(source / path, [scene() for _ in range(3)])
    with pytest.raises(DataError, match=r"no face was found in any of 12 frame\(s\) of 6 recording\(s\)"):
        run(source, tmp_path / "out")


def test_native_crops_keep_their_sizes_and_small_faces_are_left_out_and_counted(source, tmp_path):
    far = [cv2.resize(picture, (120, 90), interpolation=cv2.INTER_AREA) for picture in moving(0, 6)]
    write_clip(source / MSU[0], [np.pad(picture, ((135, 135), (180, 180), (0, 0))) for picture in far])
    done = run(source, tmp_path / "out", rule=CropRule(Native()))
    sides = done.manifest.samples["width"].to_pylist()
    assert done.manifest.image_size == min(sides) < max(sides)
    assert min(sides) >= 64
    (tally,) = [t for t in done.tallies if t.small]
    assert (tally.path, len(tally.small)) == (MSU[0], 2)
    assert max(tally.small) < 64
    assert done.manifest.contract["faces_too_small"] == {"live": 2, "attack": 0}
    assert done.manifest.contract["faces_shrunk"] == 0
    store = open_store(str(tmp_path / "out"))
    assert verify(store, "M") == []
    for batch in scan(store, done.manifest, None, image_size=64, batch=32, patches=Patches()):
        assert batch.image.shape[1:] == (64, 64, 3)
    with pytest.raises(DataError, match=r"all 12 face\(s\) have crops under 1000 pixels") as caught:
        run(source, tmp_path / "none", rule=CropRule(Native(smallest=1000)))
    assert f"--smallest {max(sides) // 32 * 32}, " in caught.value.remedy


def test_an_ingest_killed_with_sigkill_goes_on_without_loss_or_repetition(clean, whole, tmp_path):
    out = tmp_path / "out"
    options = ["--out", str(out), "--size", "64", "--frames", "2", "--accept-counts", "--workers", "1"]
    kept = kill_when_staged(out, "ingest", "msu_mfsd", str(clean), *options)
    assert 1 <= len(kept) < len(MSU)
    seen: list[int] = []
    run(clean, out, on_done=lambda done, _: seen.append(done))
    assert seen[0] == len(kept)  # what was done is not done again
    assert shards(out) == shards(whole)


def test_a_store_that_fails_in_mid_ingest_is_named_as_itself(clean, tmp_path):
    out = tmp_path / "out"
    out.mkdir()

    def block(done: int, total: int) -> None:
        (out / "M").write_text("a file where the domain's folder should be")

    with pytest.raises(StorageError, match=str(out / "M")) as kept:
        run(clean, out, on_done=block)
    # Whoever keeps the error, as a notebook does, keeps no CPU of the cluster by that.
    deadline = time.monotonic() + 20
    while ray.available_resources().get("CPU", 0) < ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    del kept
