"""What people are painted with: fine structure of skin, single hairs, wet eyes, knots and cloth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EXTENT, draw_shape, draw_traits
from rfmeta_dist.synth.imaging.smooth import coarsely, wide_blur
from rfmeta_dist.synth.imaging.strands import brush, strokes
from rfmeta_dist.synth.imaging.texture import blur
from rfmeta_dist.synth.optics.framing import Framing, square
from rfmeta_dist.synth.person.bust import Bust, paint_bust
from rfmeta_dist.synth.person.pose import Pose, View, project
from rfmeta_dist.synth.person.skin import draw_complexion
from rfmeta_dist.synth.person.styles import draw_hair
from rfmeta_dist.synth.person.tissue import tissue
from rfmeta_dist.synth.person.torso import continue_torso
from rfmeta_dist.synth.place.scene import Lamp, shade

SIDE = 384
FRONT = Framing(0.0, 0.0, 0.6, 0.0)
CHEEK = (slice(205, 265), slice(95, 155))  # rows and columns of SIDE in which a cheek of FRONT lies
PALE, DARK = 28, 39


def lit(view: View) -> np.ndarray:
    direction = np.array([-0.5, -0.4, 0.77], np.float32)
    return shade(
        view, Lamp(direction, np.ones(3, np.float32), 0.35, 1.0), np.full((SIDE, SIDE, 3), 0.3, np.float32)
    )


def fineness(image: np.ndarray) -> float:
    """Relative deviation of what a blur of one pixel takes away."""
    return float((image - blur(image, 1.0)).std() / image.mean())


def look(number: int) -> tuple[float, str]:
    """Melanin and hair style of a person."""
    rng = generator("bust", number)
    traits = draw_traits(rng)
    draw_shape(traits, rng)
    return draw_complexion(traits, rng).melanin, draw_hair(traits, rng).style


@pytest.mark.parametrize("number", [PALE, 24, 33, DARK])
def test_skin_of_all_tones_has_structure_as_fine_as_a_pixel(number):
    view = project(paint_bust(number, 896), Pose(), FRONT, square(SIDE))
    bare = replace(view, gloss=np.zeros_like(view.gloss))
    for radiance in (lit(view), lit(bare)):
        assert 0.008 < fineness(radiance[CHEEK][..., 1]) < 0.08


def test_the_people_of_the_test_above_differ_in_tone():
    assert look(PALE)[0] < 0.2
    assert look(DARK)[0] > 0.8


def test_light_spreads_further_in_skin_the_redder_it_is():
    view = project(paint_bust(20, 448), Pose(), FRONT, square(SIDE))
    white = replace(view, albedo=np.full_like(view.albedo, 0.5), gloss=np.zeros_like(view.gloss))
    red, green, blue = (fineness(lit(white)[120:280, 110:270, i]) for i in range(3))
    assert red < 0.9 * green < 0.9 * blue


def test_structures_have_one_size_at_every_resolution():
    small, large = tissue(448), tissue(896)
    for name in ("pores", "net", "mottle"):
        shrunk = cv2.resize(getattr(large, name), small.net.shape, interpolation=cv2.INTER_AREA)
        assert np.allclose(shrunk, getattr(small, name), atol=1e-4), name


@pytest.mark.parametrize(("number", "soft"), [(22, 0.9), (26, 0.9), (42, 0.9), (27, 1.5), (29, 1.5), (33, 1.5)])
def test_hair_ends_in_single_strands(number, soft):
    above = paint_bust(number, 896).cover[: 896 // 2]
    outline = cv2.morphologyEx((above > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3)))
    partly = (above > 0.05) & (above < 0.95)
    # A cut-out's edge is soft over one pixel, half of what a gradient of two marks; short hair frays most.
    assert partly.sum() > soft * outline.sum()


def test_a_bun_is_a_knot_and_hangs_nowhere():
    buns = [number for number in range(20, 140) if look(number)[1] == "bun"][:4]
    assert len(buns) == 4
    for number in buns:
        bust = paint_bust(number, 448)
        rows = slice(*(round((y / EXTENT + 1) * 224) for y in (0.25, 0.5)))
        beside = np.abs(np.arange(448) / 224 - 1) * EXTENT > 0.60
        assert bust.cover[rows][:, beside].max() < 0.1, number


@pytest.mark.parametrize("number", [21, 27, 30])
def test_an_eye_mirrors_the_lamp(number):
    bust = paint_bust(number, 896)
    near = Framing(bust.eyes[0], bust.eyes[1], 0.1, 0.0)
    radiance = lit(project(bust, Pose(), near, square(SIDE)))[..., 1]
    assert radiance.max() > 2.5 * np.percentile(radiance, 99)


def test_cloth_goes_on_below_the_bust_without_a_seam():
    for number in (25, 30, 34):
        bust = paint_bust(number, 896)
        framing, raster = Framing(0.0, 1.26, 0.1, 0.0), square(SIDE)
        x, y = framing.to_face(*raster.grid())
        view = continue_torso(project(bust, Pose(), framing, raster), bust, x, y)
        steps = np.abs(np.diff(view.height[:, 96:288], axis=0)).mean(1)
        assert steps.max() < 4 * np.median(steps), number


def test_a_strand_covers_a_pixel_by_its_width_and_keeps_its_tone():
    path = np.array([[[2.0, 10.0], [38.0, 10.0]]])
    whole = strokes(path, (21, 41))[:, 20].sum()
    for fine in (1, 2, 4):
        tone, cover = brush(path, np.array([0.2]), (21, 41), fine)
        assert cover[:, 20].sum() == pytest.approx(whole / fine, rel=0.1)
        assert tone[10, 20] == pytest.approx(0.2, abs=0.05)
        assert np.allclose(cover, strokes(path, (21, 41), fine), atol=0.02)


def test_faint_pieces_lie_below_solid_ones():
    crossing = np.array([[[20.0, 2.0], [20.0, 38.0]], [[2.0, 20.0], [38.0, 20.0]]])
    for order in (crossing, crossing[::-1]):
        opacity = np.where(order[:, :1, 0] == 20.0, 0.27, 1.0)
        tone, cover = brush(order, np.where(opacity[:, 0] < 1, 0.9, 0.1), (41, 41), 1, opacity=opacity)
        assert cover[20, 20] > 0.9
        assert tone[20, 20] < 0.2
        assert 0.1 < cover[10, 20] < 0.4


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0, 15.0, 40.0])
def test_a_wide_blur_is_a_blur(sigma):
    image = np.zeros((301, 253), np.float32)
    image[100:180, 90:150] = 1.0
    assert np.abs(wide_blur(image, sigma) - blur(image, sigma)).max() < 0.03


def test_what_varies_slowly_may_be_evaluated_coarsely():
    u, v = np.meshgrid(np.linspace(-1, 1, 301, dtype=np.float32), np.linspace(-1, 1, 257, dtype=np.float32))

    def field(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.exp(-((x / 0.2) ** 2) - (y / 0.3) ** 2)

    for few in (1, 4, 6):
        assert np.abs(coarsely(field, u, v, few) - field(u, v)).max() < 0.02


def test_busts_are_single_precision():
    bust: Bust = paint_bust(22, 448)
    for image in (bust.albedo, bust.height, bust.cover, bust.gloss, bust.skin, bust.mimic.shut):
        assert image.dtype == np.float32
