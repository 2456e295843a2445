"""Paint a made-up person as a bust: what the person looks like before light falls on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import cv2
import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EYE, MOUTH, build_head, draw_shape, draw_traits
from rfmeta_dist.synth.head.mimic import Mimic
from rfmeta_dist.synth.imaging.texture import Image, Rng, resize
from rfmeta_dist.synth.person.canvas import Canvas, Layer, blank_canvas
from rfmeta_dist.synth.person.clothes import CONTACT, contact_shade, paint_clothes, paint_scarf
from rfmeta_dist.synth.person.eyes import (
    EyeLook,
    draw_eyes,
    eye_shade,
    eyes_of,
    paint_brow,
    paint_eye,
    shut_eye,
)
from rfmeta_dist.synth.person.features import (
    draw_look,
    paint_beard,
    paint_ears,
    paint_glasses,
    paint_mouth,
    paint_nose,
    parting,
)
from rfmeta_dist.synth.person.hair import paint_hair
from rfmeta_dist.synth.person.skin import draw_complexion, paint_skin
from rfmeta_dist.synth.person.styles import draw_hair

CACHED = 4  # busts cached per process; few are enough, because the videos of a subject are consecutive
LEAST = 448  # least side in pixels at which busts are painted; smaller ones are reduced from it
BACK = -0.15  # heights below this are cut off, because nothing that is visible from the front is there


@dataclass(frozen=True)
class Bust:
    """A person over [−EXTENT, EXTENT]² in face coordinates, facing the camera.

    Attributes:
        albedo: N×N×3 reflectance in linear light.
        height: N×N, towards the camera, in face units.
        cover: N×N in [0, 1], 0 where there is only background.
        gloss: N×N in [0, 1], weight of the specular highlight; above a half the surface is wet and sharp.
        skin: N×N in [0, 1], where light enters bare skin and scatters in it.
        eyes: |x| and y of the eye centres.
        mimic: how the face moves.
    """

    albedo: Image
    height: Image
    cover: Image
    gloss: Image
    skin: Image
    eyes: tuple[float, float]
    mimic: Mimic

    @cached_property
    def planes(self) -> Image:
        """Return height, cover, gloss and skin as N×N×4, because one picture is sampled faster than four."""
        planes: Image = cv2.merge([self.height, self.cover, self.gloss, self.skin])
        return planes


@lru_cache(maxsize=CACHED)
def paint_bust(seed: int, resolution: int) -> Bust:
    """Paint the made-up person number `seed` at N×N, N = `resolution`. Nothing else changes the result."""
    rng = generator("bust", seed)
    traits = draw_traits(rng)
    head = build_head(draw_shape(traits, rng), max(resolution, LEAST))
    skin, hair = draw_complexion(traits, rng), draw_hair(traits, rng)
    eyes, look = draw_eyes(traits, skin.makeup, rng), draw_look(traits, skin.makeup, rng)
    canvas = blank_canvas(head)
    paint_skin(canvas, skin, rng)
    eye_shade(canvas)
    paint_ears(canvas)
    paint_nose(canvas)
    paint_mouth(canvas, look, rng)
    if not traits.woman:
        paint_beard(canvas, look, hair.beard, rng)
    shut, closing = _shut(canvas, eyes, rng)
    for side in (-1, 1):
        paint_eye(canvas, eyes, side, rng)
    for each in (canvas, shut):
        for side in (-1, 1):
            paint_brow(each, eyes, hair.brows, side, generator("brow", seed, side))
        if look.glasses:
            paint_glasses(each, look.glasses, generator("glasses", seed))
    _put_on(paint_clothes(canvas, traits.woman, rng), canvas, shut)
    hat = paint_scarf(canvas, rng) if hair.style == "scarf" else paint_hair(canvas, hair, rng)
    if hat is not None:
        shade = contact_shade(canvas, hat, 0.035)
        for each in (canvas, shut):
            each.tint(CONTACT, np.float32(0.55) * shade[each.part()])
        _put_on(hat, canvas, shut)
    return _assemble(*_reduced(resolution, canvas, shut, closing))


def _put_on(layer: Layer, *canvases: Canvas) -> None:
    """Put a layer over the whole canvas, which comes first, and over windows of the same person."""
    firm = canvases[0].firmness(layer)
    for each in canvases:
        each.wear(layer, firm)


def _reduced(resolution: int, canvas: Canvas, shut: Canvas, closing: Image) -> tuple[Canvas, Canvas, Image]:
    """Return the painted canvas at the requested resolution."""
    if canvas.size[1] == resolution:
        return canvas, shut, closing
    small = canvas.resized(resolution)
    # The edges of the window are not at whole pixels of the smaller canvas, so the window is put into the large
    # canvas before that is reduced.
    albedo, height = canvas.albedo.copy(), canvas.height.copy()
    albedo[shut.part()], height[shut.part()] = shut.albedo, shut.height
    small_shut = replace(small, albedo=resize(albedo, resolution), height=resize(height, resolution))
    lying = np.full(canvas.size, -1.0, np.float32)
    lying[shut.part()] = closing
    small_shut = eyes_of(small_shut)
    lying = cv2.resize(lying, (resolution, resolution), interpolation=cv2.INTER_NEAREST)
    return small, small_shut, lying[small_shut.part()]


def _shut(canvas: Canvas, eyes: EyeLook, rng: Rng) -> tuple[Canvas, Image]:
    """Return a canvas around the eyes with the eyes closed, and how far down the opening each pixel lies."""
    shut = close_lids(canvas)
    return shut, np.maximum(*(shut_eye(shut, eyes, side, rng) for side in (-1, 1)))


def close_lids(canvas: Canvas) -> Canvas:
    """Return a copy of the canvas around the eyes with the relief of closed eyes, not painted yet."""
    shut = eyes_of(canvas).copy()
    shut.height[...] += (canvas.head.shut - canvas.head.height)[shut.part()]
    return shut


def join_mimic(acts: tuple[Image, ...], lips: Image, shut: Canvas, closing: Image) -> Mimic:
    """Collect what moves: expressions, the line between the lips, and the lids of a window with shut eyes."""
    lids = np.dstack([np.clip(shut.albedo, 0.002, 0.95), shut.height])
    return Mimic(acts, lips, shut.corner, np.ascontiguousarray(closing), lids.astype(np.float32))


def _assemble(canvas: Canvas, shut: Canvas, closing: Image) -> Bust:
    head = canvas.head
    t = np.linspace(-1.0, 1.0, 41)
    lips = head.at(np.stack([t * MOUTH[0], parting(t)], -1)).T
    left_eye, right_eye = head.at(np.array([[-EYE[0], EYE[1]], EYE]))
    return Bust(
        albedo=np.clip(canvas.albedo, 0.002, 0.95).astype(np.float32),
        height=np.maximum(canvas.height, BACK).astype(np.float32),
        cover=np.clip(canvas.body, 0.0, 1.0).astype(np.float32),
        gloss=np.clip(canvas.gloss, 0.0, 1.0).astype(np.float32),
        skin=np.clip(canvas.skin, 0.0, 1.0).astype(np.float32),
        eyes=(float(right_eye[0] - left_eye[0]) / 2, float(right_eye[1] + left_eye[1]) / 2),
        mimic=join_mimic(head.acts, lips, shut, closing),
    )
