"""Generated domains as raw videos: named, annotated and listed so that ingest takes them for the data sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rfmeta_dist.cluster.clips import clips_of, film_clips
from rfmeta_dist.core.errors import DataError, StorageError
from rfmeta_dist.ingest.layouts import LAYOUTS
from rfmeta_dist.ingest.layouts.layout import Survey
from rfmeta_dist.ingest.video import Spread, read_frames
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.clip import Clip
from rfmeta_dist.synth.output.generate import plan

pytestmark = pytest.mark.usefixtures("cluster")

TINY = SCALES["tiny"]
SECONDS = 0.08  # two frames


def ignore(done: int, total: int) -> None:
    pass


def clips(domain: str, count: int, **changes) -> list[Clip]:
    """The first clips of a domain at 32 pixels, which is quick to film."""
    card = replace(DOMAINS[domain], **changes)
    return clips_of(plan(domain, replace(TINY, size=32), 0, None, 0.5, {domain: card}), SECONDS)[:count]


@pytest.fixture(scope="module")
def filmed(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By domain, a folder with the clips of one person."""
    folder = tmp_path_factory.mktemp("raw")
    for name in DOMAINS:
        film_clips(folder / name, clips(name, 3), {"seed": 0}, 2, ignore)
    return {name: folder / name for name in DOMAINS}


def first_frame(path: Path, rotation: int = 0) -> np.ndarray:
    return next(iter(read_frames(path, Spread(1), rotation=rotation))).pixels


def survey(filmed: dict[str, Path], name: str) -> Survey:
    return LAYOUTS[DOMAINS[name].layout].survey(filmed[name], name)


@pytest.mark.parametrize("name", DOMAINS)
def test_the_layout_knows_every_file_and_every_label_is_right(filmed, name):
    found = survey(filmed, name)
    assert not found.unknown
    expected = {clip.path: (clip.video.attack_type, clip.video.split) for clip in clips(name, 3)}
    assert {r.path: (r.attack_type, r.split) for r in found.recordings} == expected
    assert len({r.subject for r in found.recordings}) == 1
    for recording in found.recordings:
        height, width = first_frame(filmed[name] / recording.path).shape[:2]
        assert (height > width) == (name == "O" or recording.condition in {"normal", "high"})


@pytest.mark.parametrize("name", ["O", "I", "M"])
def test_annotations_are_read_and_lie_within_the_picture(filmed, name):
    for recording in survey(filmed, name).recordings:
        boxes = LAYOUTS[DOMAINS[name].layout].faces(recording, filmed[name])
        assert boxes is not None
        assert sorted(boxes) == [0, 1]
        height, width = first_frame(filmed[name] / recording.path).shape[:2]
        for x, y, across, down in boxes.values():
            assert 0 <= x < x + across <= width
            assert 0 <= y < y + down <= height
            assert 1.0 < down / across < 1.6


def test_every_name_says_which_camera_session_and_instrument_it_was(filmed):
    for clip in clips("O", 18):
        phone, session, _, kind = clip.video.name.split("_")
        card = clip.video.card
        assert [camera.name for camera in card.cameras] == [f"phone-{phone}"]
        assert [venue.name for venue in card.sessions] == [session]
        if kind in "23":
            assert [paper.name for paper in card.papers] == [f"printer-{int(kind) - 1}"]
        if kind in "45":
            assert [screen.name for screen in card.screens] == [f"display-{int(kind) - 3}"]


def test_protocols_agree_with_the_names(filmed):
    member = {r.path: r.protocols for r in survey(filmed, "O").recordings}
    for path, protocols in member.items():
        session = path.split("/")[1].split("_")[1]
        assert ("1/train" in protocols) == (session != "3")


def test_clips_that_the_phone_stored_upside_down_are_upright_after_ingest(cluster, tmp_path):
    upright = next(c for c in clips("M", 18) if c.turned)
    assert upright.video.name.startswith("real_client003_android")
    film_clips(tmp_path, [upright, replace(upright, path=f"x/{upright.path}", turned=False)], {}, 1, ignore)
    turned = first_frame(tmp_path / upright.path, 180).astype(int)
    straight = first_frame(tmp_path / "x" / upright.path).astype(int)
    assert 3 * abs(turned - straight).mean() < abs(turned[::-1, ::-1] - straight).mean()


def test_what_is_there_is_kept_and_the_same_seed_gives_the_same_bytes(filmed, tmp_path):
    own = clips("I", 2)
    done: list[tuple[int, int]] = []
    film_clips(tmp_path, own[:1], {"seed": 0}, 1, ignore)
    before = (tmp_path / own[0].path).stat().st_mtime_ns
    film_clips(tmp_path, own, {"seed": 0}, 1, lambda *now: done.append(now))
    assert done == [(2, 4), (4, 4)]
    assert (tmp_path / own[0].path).stat().st_mtime_ns == before
    for clip in own:
        assert (tmp_path / clip.path).read_bytes() == (filmed["I"] / clip.path).read_bytes()


def test_a_domain_of_ones_own_gets_a_table_of_labels(tmp_path):
    own = clips("I", 2, layout="folder")
    film_clips(tmp_path, own, {"seed": 0}, 1, ignore)
    found = LAYOUTS["folder"].survey(tmp_path, "X")
    assert [(r.path, r.attack_type, r.split) for r in found.recordings] == [
        (c.path, c.video.attack_type, c.video.split) for c in sorted(own, key=lambda c: c.path)
    ]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "train").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        film_clips(tmp_path, clips("I", 1), {"seed": 0}, 1, ignore)


def test_clips_of_other_settings_are_never_kept_among_new_ones(filmed):
    with pytest.raises(DataError, match="other settings"):
        film_clips(filmed["I"], clips("I", 3), {"seed": 1}, 1, ignore)
