"""A bust is what a person looks like before light falls on them; this module paints a made-up one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.features import draw_look, paint_features
from rfmeta_dist.synth.hair import Layer, draw_hair, paint_clothes, paint_hair
from rfmeta_dist.synth.head import (
    EXTENT,
    HeadShape,
    body_height,
    draw_shape,
    eye_centre,
    face_height,
    ovoid,
)
from rfmeta_dist.synth.skin import draw_complexion, paint_skin
from rfmeta_dist.synth.texture import Image, grid, mix, noise, step

COVERED_EARS = {"long", "bob", "scarf", "afro"}
CACHED = 4  # busts kept per process: the videos of one subject follow one another


@dataclass(frozen=True)
class Bust:
    """A person over [−EXTENT, EXTENT]² in face coordinates, facing the camera.

    Attributes:
        albedo: N×N×3 reflectance in linear light.
        height: N×N, towards the camera, in face units.
        cover: N×N in [0, 1], 0 where there is only background.
        gloss: N×N in [0, 1], weight of the specular highlight.
        eyes: |x| and y of the eye centres.
    """

    albedo: Image
    height: Image
    cover: Image
    gloss: Image
    eyes: tuple[float, float]


@lru_cache(maxsize=CACHED)
def paint_bust(seed: int, resolution: int) -> Bust:
    """The made-up person number `seed`, the same whoever asks; `resolution` is N."""
    rng = generator("bust", seed)
    shape, skin, hair = draw_shape(rng), draw_complexion(rng), draw_hair(rng)
    look = draw_look(rng, hair.colour)
    x, y = grid(resolution, EXTENT)
    albedo = paint_skin(skin, shape, x, y, rng)
    albedo, wet = paint_features(albedo, look, skin.makeup, shape, (x, y), rng)
    height, cover, below = _relief(shape, x, y, ears=hair.style not in COVERED_EARS)
    # Relief of pores as a slope, so that it looks the same at every resolution.
    bumps = 0.13 * skin.pores * 2.0 * EXTENT / resolution
    height = height + bumps * noise(rng, x.shape, resolution / 2.0)
    gloss = 0.06 + 0.08 * wet
    bare = Bust(albedo, height, cover, gloss, eye_centre(shape))
    dressed = _wear(bare, paint_clothes(below, x, y, rng))
    return _wear(dressed, paint_hair(hair, shape, x, y, rng))


def _relief(shape: HeadShape, x: Image, y: Image, ears: bool) -> tuple[Image, Image, Image]:
    """Height and cover of head, ears, neck and shoulders, and the distance below the shoulder line."""
    head, (body, below) = face_height(shape, x, y), body_height(shape, x, y)
    ear_x = np.abs(x) - shape.width - 0.015
    ear = 1.0 - (ear_x / 0.062) ** 2 - ((y - 0.02 + 0.5 * ear_x) / 0.155) ** 2
    if not ears:
        ear = np.full_like(ear, -1.0)
    height = np.maximum(np.maximum(head, body), np.where(ear > 0, 0.06 + 0.05 * ear, -1.0))
    outline = np.maximum(ovoid(shape, x, y) * 0.5, ear * 0.06)
    neck = np.where(y > 0.25, shape.neck - np.abs(x), -1.0)
    cover = step(-0.006, 0.010, np.maximum(np.maximum(outline, neck), below).astype(np.float32))
    return np.maximum(height, -0.15).astype(np.float32), cover, below


def _wear(bust: Bust, layer: Layer) -> Bust:
    """The bust with one more layer on it."""
    return Bust(
        albedo=mix(bust.albedo, layer.albedo, layer.cover),
        height=np.maximum(bust.height, 0.02 * layer.cover) + layer.thickness * layer.cover,
        cover=np.maximum(bust.cover, layer.cover),
        gloss=bust.gloss + (layer.gloss - bust.gloss) * layer.cover,
        eyes=bust.eyes,
    )
