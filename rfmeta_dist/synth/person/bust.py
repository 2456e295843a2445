"""A bust is what a person looks like before light falls on them; this module paints a made-up one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EYE, MOUTH, build_head, draw_shape, draw_traits
from rfmeta_dist.synth.head.mimic import Mimic
from rfmeta_dist.synth.imaging.texture import Image, Rng, resize
from rfmeta_dist.synth.person.canvas import Canvas, blank_canvas
from rfmeta_dist.synth.person.clothes import contact_shade, paint_clothes, paint_scarf
from rfmeta_dist.synth.person.eyes import EyeLook, draw_eyes, eye_shade, paint_brow, paint_eye, shut_eye
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

CACHED = 4  # busts kept per process: the videos of one subject follow one another
LEAST = 448  # pixels; smaller busts are painted as large and reduced
BACK = -0.15  # heights behind this are cut off: what is seen from the front does not reach there


@dataclass(frozen=True)
class Bust:
    """A person over [−EXTENT, EXTENT]² in face coordinates, facing the camera.

    Attributes:
        albedo: N×N×3 reflectance in linear light.
        height: N×N, towards the camera, in face units.
        cover: N×N in [0, 1], 0 where there is only background.
        gloss: N×N in [0, 1], weight of the specular highlight; above a half it is wet and sharp.
        skin: N×N in [0, 1], where light enters bare skin and spreads in it.
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


@lru_cache(maxsize=CACHED)
def paint_bust(seed: int, resolution: int) -> Bust:
    """The made-up person number `seed`, the same whoever asks; `resolution` is N."""
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
    layers = [paint_clothes(canvas, traits.woman, rng)]
    for each in (canvas, shut):
        each.wear(layers[0])
    hat = paint_scarf(canvas, rng) if hair.style == "scarf" else paint_hair(canvas, hair, rng)
    for each in (canvas, shut):
        if hat is not None:
            contact_shade(each, hat, 0.035, 0.55)
            each.wear(hat)
    return _assemble(*_reduced(resolution, canvas, shut, closing))


def _reduced(resolution: int, canvas: Canvas, shut: Canvas, closing: Image) -> tuple[Canvas, Canvas, Image]:
    """What was painted, at the resolution asked for."""
    if canvas.size[1] == resolution:
        return canvas, shut, closing
    head = replace(canvas.head, cover=resize(canvas.head.cover, resolution))
    names = ("albedo", "height", "gloss", "body", "skin")
    small, small_shut = (
        replace(
            each, head=head, corner=(0, 0), **{name: resize(getattr(each, name), resolution) for name in names}
        )
        for each in (canvas, shut)
    )
    size = (resolution, resolution)
    return small, small_shut, cv2.resize(closing, size, interpolation=cv2.INTER_NEAREST)


def _shut(canvas: Canvas, eyes: EyeLook, rng: Rng) -> tuple[Canvas, Image]:
    """A second canvas with the eyes closed, and how far down their openings each pixel lies."""
    shut = replace(
        canvas,
        albedo=canvas.albedo.copy(),
        height=canvas.height + canvas.head.shut - canvas.head.height,
        gloss=canvas.gloss.copy(),
        body=canvas.body.copy(),
        skin=canvas.skin.copy(),
    )
    closing = np.maximum(*(shut_eye(shut, eyes, side, rng) for side in (-1, 1)))
    return shut, closing


def join_mimic(acts: tuple[Image, ...], lips: Image, shut: Canvas, closing: Image) -> Mimic:
    """What moves: expressions, the line between the lips, and the lids of a canvas with its eyes shut."""
    rows, columns = np.flatnonzero((closing >= 0).any(1)), np.flatnonzero((closing >= 0).any(0))
    pad = int(0.09 / shut.pixel)
    top, left = max(0, rows[0] - pad), max(0, columns[0] - pad)
    part = slice(top, rows[-1] + pad), slice(left, columns[-1] + pad)
    lids = np.dstack([np.clip(shut.albedo[part], 0.002, 0.95), shut.height[part]])
    return Mimic(
        acts, lips, (int(top), int(left)), np.ascontiguousarray(closing[part]), lids.astype(np.float32)
    )


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
