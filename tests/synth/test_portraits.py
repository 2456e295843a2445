"""Portrait folders: who is found, how look-alikes are kept together, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import DataError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.imaging.texture import encode_srgb
from rfmeta_dist.synth.optics.framing import Framing, square
from rfmeta_dist.synth.output.generate import plan, render
from rfmeta_dist.synth.person.bust import paint_bust
from rfmeta_dist.synth.person.portraits import survey
from rfmeta_dist.synth.person.pose import Pose, project
from rfmeta_dist.synth.place.rooms import paint_backdrop
from rfmeta_dist.synth.place.scene import draw_lamp, shade

SMALLEST = replace(SCALES["tiny"], subjects={"*": {"train": 1, "validation": 1, "test": 1}}, frames=1)


def draw_portrait(path: Path, number: int) -> None:
    """Save a made-up person as if photographed in a studio."""
    rng = np.random.default_rng(number)
    framing, raster = Framing(0.0, 0.0, 1.0, 0.0), square(320)
    view = project(paint_bust(number, 320), Pose(), framing, raster)
    backdrop = paint_backdrop("wall", framing, raster, rng)
    radiance = shade(view, draw_lamp(DOMAINS["O"].sessions[0].lights[0], rng), backdrop)
    picture = (encode_srgb(radiance * 0.3 / np.median(radiance)) * 255).astype(np.uint8)
    cv2.imwrite(str(path), picture[..., ::-1])


def group_of(number: int) -> int:
    return number // 2 if number < 6 else number


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Sixteen made-up portraits, the first six in pairs of look-alikes, and one picture of nobody."""
    path = tmp_path_factory.mktemp("portraits")
    rows = ["file,look_alike_group"]
    for number in range(16):
        draw_portrait(path / f"{number}.jpg", number)
        rows.append(f"{number}.jpg,{group_of(number)}")
    cv2.imwrite(str(path / "nobody.png"), np.full((64, 64, 3), 127, np.uint8))
    rows.append("nobody.png,99")
    (path / "identities.csv").write_text("\n".join(rows), encoding="utf-8")
    return path


def test_made_up_heads_read_as_faces_to_a_detector(folder):
    found = survey(folder)
    assert found.usable >= 14
    assert found.skipped == 17 - found.usable


def test_look_alikes_stay_in_one_domain_and_split(folder):
    home: dict[int, set[tuple[str, str]]] = {}
    for domain in DOMAINS:
        for video in plan(domain, SMALLEST, 0, folder):
            group = group_of(int(Path(video.identity.path).stem))
            home.setdefault(group, set()).add((domain, video.split))
    assert home
    assert all(len(places) == 1 for places in home.values())


def test_a_portrait_is_rendered_live_and_attacked(folder):
    videos = plan("C", SMALLEST, 0, folder)[:3]
    samples = [render(video)[0] for video in videos]
    depths = [cv2.imdecode(np.frombuffer(s.depth, np.uint8), cv2.IMREAD_UNCHANGED) for s in samples]
    assert [s.attack_type == LIVE for s in samples] == [d.any() for d in depths] == [True, False, False]
    assert render(videos[0])[0] == samples[0]


def test_too_few_portraits_says_how_many(folder):
    with pytest.raises(
        DataError, match=r"112 portraits are needed, but .* has \d+ usable ones in \d+ look-alike"
    ):
        plan("O", SCALES["small"], 0, folder)


def test_a_missing_or_faceless_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        plan("O", SMALLEST, 0, tmp_path / "nowhere")
    with pytest.raises(DataError, match="no usable portrait"):
        plan("O", SMALLEST, 0, tmp_path)


def test_a_list_without_its_columns_is_refused(tmp_path):
    (tmp_path / "identities.csv").write_text("name\na.jpg\n", encoding="utf-8")
    with pytest.raises(DataError, match="file,look_alike_group"):
        plan("O", SMALLEST, 0, tmp_path)


def test_without_a_list_every_file_is_its_own_group(tmp_path):
    for number in range(3):
        draw_portrait(tmp_path / f"{number}.jpg", number + 1)
    assert all(len(group) == 1 for group in survey(tmp_path).groups)
