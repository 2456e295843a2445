"""Continue a person beyond the drawn bust for wide frames: arms, and the torso down to the frame's edge."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EXTENT
from rfmeta_dist.synth.imaging.texture import Image, blur, mix, resize, sample, step
from rfmeta_dist.synth.imaging.tiles import Tile, draw_tile
from rfmeta_dist.synth.person.bust import Bust
from rfmeta_dist.synth.person.pose import View
from rfmeta_dist.synth.person.tissue import PIXELS, SIDE, tissue

SHOULDER = 1.45  # half width of a person, face units
INSIDE = EXTENT - 0.03  # the drawn bust is used up to this coordinate
HEM = 0.12  # height of the strip above the bust's lower edge that gives the torso its colours, face units
SMOOTHED = 0.04  # standard deviation of the blur of the body's height across the body, face units
COLUMNS, PLAIN = 128, 33  # columns in which colours are sampled, and how many neighbours their median is over
# Left, top, right and bottom of the largest area that a person can cover.
REACH = (-SHOULDER - 0.1, -EXTENT, SHOULDER + 0.1, 9.0)


def continue_torso(view: View, bust: Bust, x: Image, y: Image) -> View:
    """Return the view continued below and beside the bust's canvas; x and y are face coordinates.

    The torso continues straight down in the colours of the bust's lower edge and falls into folds. Shoulders
    that leave the canvas at its sides are rounded off into arms.
    """
    if y.max() <= INSIDE and np.abs(x).max() <= INSIDE:
        return view
    side = np.clip((np.abs(x) - INSIDE) / (SHOULDER - INSIDE), 0.0, 1.0)
    column, row = _pixels(bust, np.clip(x, -INSIDE, INSIDE)), _pixels(bust, np.minimum(y, INSIDE))
    outside = np.maximum(np.abs(x), y) > INSIDE
    # The outline of an arm is level with the shoulder where it leaves the canvas, and upright where it ends.
    round_off = 0.55 * (1.0 - np.sqrt(np.clip(1.0 - side**2, 0.0, 1.0))).astype(np.float32)
    drop = sample(bust.cover, column, _pixels(bust, np.minimum(y, INSIDE) - round_off))
    drop = np.where(y - round_off > INSIDE, sample(bust.cover, column, row), drop)
    cover = np.where(outside, drop * step(1.0, 0.96, side), view.cover)
    folds = 1.0 + 0.05 * _folds().at(x, 0.35 * y)
    woven = _hem(bust)[np.clip(np.round(column), 0, bust.cover.shape[0] - 1).astype(int)] * folds[..., None]
    below = np.maximum(step(INSIDE - HEM, INSIDE, y), step(INSIDE - 0.05, INSIDE, np.abs(x)))
    shape, threads = _hem_height(bust)[None], _threads().at(x, y)
    woven = woven * (1.0 + 0.04 * threads)[..., None]
    height = np.where(
        y > INSIDE - HEM, sample(shape, column, np.zeros_like(column)), sample(bust.height, column, row)
    )
    height = height * np.sqrt(np.clip(1.0 - side**2, 0.0, 1.0)) + 0.0006 * threads
    height = height + 0.02 * (folds - 1.0) / 0.05 * step(INSIDE, INSIDE + 0.2, y)
    return replace(
        view,
        albedo=mix(view.albedo, woven.astype(np.float32), below * step(0.95, 1.0, np.maximum(np.abs(x), y))),
        height=(view.height + (height - view.height) * np.maximum(below, outside)).astype(np.float32),
        cover=cover.astype(np.float32),
        gloss=view.gloss * (1.0 - 0.7 * below),
        skin=view.skin * (1.0 - below),
    )


def _pixels(bust: Bust, place: Image) -> Image:
    """Convert face coordinates to pixel positions in the bust's images, on either axis."""
    half = bust.cover.shape[0] / 2
    pixels: Image = (place / EXTENT * half + half - 0.5).astype(np.float32)
    return pixels


def _hem(bust: Bust) -> Image:
    """Return the cloth's colour in each column near the lower edge, N×3, without hair, buttons or bare skin."""
    last, first = (round(float(_pixels(bust, np.array(y)))) for y in (INSIDE, INSIDE - HEM))
    weight = bust.cover[first:last, :, None] + np.float32(1e-3)
    hem = resize((bust.albedo[first:last] * weight).sum(axis=0)[None] / weight.sum(axis=0), COLUMNS, 1)[0]
    around = np.pad(hem, ((PLAIN // 2, PLAIN // 2), (0, 0)), mode="edge")
    plain = np.median(np.lib.stride_tricks.sliding_window_view(around, PLAIN, axis=0), axis=2)
    widened: Image = resize(plain[None, :COLUMNS].astype(np.float32), bust.cover.shape[1], 1)[0]
    return widened


def _hem_height(bust: Bust) -> Image:
    """Return the body's height in each column near the lower edge, N, without threads and creases."""
    last, first = (round(float(_pixels(bust, np.array(y)))) for y in (INSIDE + 0.02, INSIDE - 0.02))
    level = bust.height[first:last].mean(axis=0)[None]
    smooth: Image = blur(level, SMOOTHED * bust.cover.shape[0] / 2 / EXTENT)[0]
    return smooth


@cache
def _threads() -> Tile:
    return Tile(tissue(PIXELS * 2).net, SIDE)


@cache
def _folds() -> Tile:
    return draw_tile(generator("folds"), 0.35, octaves=2)
