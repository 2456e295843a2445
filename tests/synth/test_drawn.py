"""Domains drawn at random: the same from the same seed, usable, and as varied as they should be."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.synth.domains.card import read_card
from rfmeta_dist.synth.domains.drawn import MOST, ON_FRAME, drawn
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.optics.framing import FACE_WIDTH
from rfmeta_dist.synth.output.generate import plan, render

MANY = drawn(60, 3)


def test_the_first_domains_are_the_same_whatever_the_count():
    few, many = drawn(4, 0), drawn(16, 0)
    assert list(many) == [f"D{number:02d}" for number in range(1, 17)]
    assert {name: many[name] for name in few} == few
    assert drawn(4, 1) != few


@pytest.mark.parametrize("name", ["D01", "D17", "D60"])
def test_a_drawn_domain_is_a_card_that_can_be_written_and_read(tmp_path, name):
    def plain(part: object) -> object:
        if isinstance(part, dict):
            return {key: plain(value) for key, value in part.items()}
        return [plain(value) for value in part] if isinstance(part, tuple) else part

    (tmp_path / "card.yaml").write_text(yaml.safe_dump(plain(asdict(MANY[name]))))
    assert read_card(tmp_path / "card.yaml") == MANY[name]


def test_faces_fill_the_frames_as_in_a_portrait():
    for card in MANY.values():
        for camera in card.cameras:
            least, most = (
                camera.density(d) * FACE_WIDTH / min(camera.frame) for d in reversed(camera.distance)
            )
            assert ON_FRAME[0] / 1.27 <= least < most <= ON_FRAME[1] * 1.02


def test_most_dots_and_pixels_are_too_fine_to_be_seen_and_some_are_not():
    """Periods on the sensor, in pixels: below two, they cannot be seen as what they are."""
    periods = []
    for card in MANY.values():
        density = np.mean([c.density(float(np.mean(c.distance))) for c in card.cameras])
        sizes = [(25.4 / np.mean(p.lpi), np.mean(p.face)) for p in card.papers if not p.scattered]
        sizes += [(25.4 / s.ppi, np.mean(s.face)) for s in card.screens]
        periods += [millimetres * FACE_WIDTH / face * density for millimetres, face in sizes]
    unresolved = np.mean(np.array(periods) < 1.0)
    assert 0.6 < unresolved < 0.95
    assert max(periods) > 2.0


def test_a_drawn_domain_can_be_filmed():
    cards = drawn(2, 5)
    scale = replace(SCALES["tiny"], frames=1)
    videos = plan("D02", scale, 5, None, domains=cards)
    assert {video.attack_type for video in videos} == {"live", *cards["D02"].attacks}
    for video in videos[:3]:
        (sample,) = render(video)
        assert decode_image(sample.image, "jpg", (64, 64)).std() > 5


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_a_count_out_of_range_is_refused(count):
    with pytest.raises(ConfigError, match=f"drawn={count} is out of range"):
        drawn(count, 0)
