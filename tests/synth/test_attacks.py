"""Carriers: their geometry and light, ink that keeps the tone, hands, and eyes behind holes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.identities import MadeUp
from rfmeta_dist.synth.instruments.hands import draw_hand
from rfmeta_dist.synth.instruments.plane import FAR, Bend, Carrier, draw_carrier, light_on, look_at
from rfmeta_dist.synth.instruments.prints import print_out, show_print
from rfmeta_dist.synth.optics.framing import Framing, Raster, square
from rfmeta_dist.synth.optics.pattern import resolved
from rfmeta_dist.synth.output.generate import prepare
from rfmeta_dist.synth.person.motion import Wander
from rfmeta_dist.synth.place.scene import Lamp
from tests.synth.recordings import shots, video

STILL = Wander(())
FRONTAL = Framing(0.0, 0.0, 1.0, 0.0)
BENDS = {
    "flat": Bend(),
    "round": Bend(curvature=0.8, axis=0.3),
    "uneven": Bend(curvature=-0.5, axis=1.4, waves=((0.015, 3.0, -2.0, 0.7),)),
}


def lamp(azimuth: float = 0.9, ambient: float = 0.2) -> Lamp:
    direction = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)], np.float32)
    return Lamp(direction, np.ones(3, np.float32), ambient, 1.0)


def carrier(yaw: float = 0.0, pitch: float = 0.0, bend: Bend | None = None) -> Carrier:
    return Carrier(yaw, pitch, STILL, STILL, 4.0, bend or Bend(), (-FAR, FAR, -FAR, FAR), 0.0, 0.0)


@pytest.mark.parametrize("bend", sorted(BENDS))
def test_a_point_of_the_picture_is_seen_where_it_is_said_to_be(bend):
    held, raster = carrier(0.3, -0.2, BENDS[bend]), square(400)
    surface = look_at(held, FRONTAL, raster, 0.0)
    for u, v in ((0.0, 0.0), (0.4, -0.3), (-0.5, 0.35)):
        x, y = held.locate(u, v, 0.0)
        row, column = round((y + 1) * 200 - 0.5), round((x + 1) * 200 - 0.5)
        assert surface.u[row, column] == pytest.approx(u, abs=0.03)
        assert surface.v[row, column] == pytest.approx(v, abs=0.03)


def test_a_turned_carrier_is_foreshortened_and_its_far_side_smaller():
    surface = look_at(carrier(yaw=0.5), FRONTAL, square(200), 0.0)
    steps = np.diff(surface.u[100])
    assert steps.mean() > 1.08 * surface.pixel
    assert abs(steps[:20].mean() - steps[-20:].mean()) > 0.1 * surface.pixel
    assert light_on(surface, lamp()).size == 1  # one plane, one light


def test_a_bent_sheet_is_lit_as_it_bends():
    bent = light_on(look_at(carrier(bend=BENDS["round"]), FRONTAL, square(100), 0.0), lamp())
    towards, away = bent[:, 80].mean(), bent[:, 20].mean()
    assert towards > 1.5 * away


@pytest.mark.parametrize("paper", range(2))
@pytest.mark.parametrize("grey", [0.3, 0.5, 0.7])
def test_halftone_keeps_the_tone(paper, grey):
    """A small coarse print, close to the camera: its dots are seen, and their mean is the tone."""
    stock = replace(DOMAINS["O"].papers[paper], gain=0.0, ink=1.0, grain=0.0, banding=0.0, gloss=0.0)
    stock = replace(stock, face=(40.0, 40.0), lpi=(20.0, 20.0))
    area, seen = Raster(-1.0, -1.0, 0.02, 100, 100), square(400)
    sheet = print_out(np.full((100, 100, 3), grey, np.float32), area, stock, seen.pitch, generator("sheet"))
    surface = look_at(carrier(), FRONTAL, seen, 0.0)
    radiance, pattern = show_print(replace(sheet, haze=0.0), surface, lamp(0.0, 0.0))
    dots = resolved(pattern, seen, seen, 0.3)
    radiance = radiance if dots is None else radiance * dots
    reflectance = radiance[20:-20, 20:-20] / (1.25 * np.array(stock.white))
    assert reflectance.mean() == pytest.approx(grey**2.2, rel=0.12)
    assert reflectance.std() > 0.1 * reflectance.mean()  # made of dots


def test_sizes_are_physical_whatever_the_size_of_the_crop():
    """A person's recording has the same pixels on the face, and the same dots, in crops of any size."""
    small = video("print")
    settings = [prepare(replace(small, size=size))[0].settings for size in (64, 256)]
    assert settings[0].sensor == settings[1].sensor
    assert settings[0].away == settings[1].away
    camera = small.card.cameras[0]
    # At 648 mm a face unit of 162 mm is a quarter of the distance.
    assert camera.density(648.0) == pytest.approx(camera.focal / (camera.pitch * 1e-3) / 4)


def test_hands_hold_only_edges_in_view_and_nothing_on_a_support():
    borderless = 0
    for take in range(40):
        held = draw_carrier(FRONTAL, 1.0, 4.0, generator("carrier", take), margin=0.05)
        edges = [edge for edge in held.edges if abs(edge) < FAR]
        hand = draw_hand(held, held=True, rng=generator("hand", take))
        assert len(hand.over) <= len(edges)
        borderless += not edges
        assert not draw_hand(held, held=False, rng=generator("hand", take)).over
    assert 10 <= borderless <= 30


def test_only_through_the_holes_of_a_cut_print_one_sees_who_holds_it():
    for take in range(8):
        attacked = replace(video("cut", take), seconds=1.0)
        first, second = (shots(replace(attacked, attacker=MadeUp(n)), [0.4])[0].radiance for n in (1, 2))
        differs = np.abs(first - second).max(axis=2) > 1e-4
        if differs.mean() < 0.5:  # no border in view beside which the attacker's shoulders show
            break
    eyes = np.array(shots(attacked, [0.4])[0].face.eyes)  # the scene has a sample a pixel
    rows = np.flatnonzero(differs.any(axis=1))
    assert 0.005 < differs.mean() < 0.12
    assert rows.min() > eyes[:, 1].min() - 20
    assert rows.max() < eyes[:, 1].max() + 20
    for x, y in eyes.round().astype(int):
        assert differs[y - 3 : y + 4, x - 3 : x + 4].any()


def test_an_attack_shows_the_victim_from_another_occasion():
    live, attack = (shots(video(kind), [1.0])[0].radiance for kind in ("live", "print"))
    scaled = [np.log(picture.mean(axis=2) + 0.01) for picture in (live, attack)]
    assert np.corrcoef(*(s.ravel() for s in scaled))[0, 1] < 0.9
