"""What a wide frame shows of a person beyond the drawn bust: arms, and the torso down to its edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfmeta_dist.synth.bust import Bust
from rfmeta_dist.synth.head import EXTENT
from rfmeta_dist.synth.pose import View
from rfmeta_dist.synth.texture import Image, blur, mix, sample, step

SHOULDER = 1.42  # half width of a person, face units
INSIDE = EXTENT - 0.03  # the drawn bust is trusted up to here
BAND = 0.22  # of cloth above the canvas' lower edge, repeated below it
REACH = (
    -SHOULDER - 0.1,
    -EXTENT,
    SHOULDER + 0.1,
    9.0,
)  # left, top, right and bottom of all there can be of a person


def continue_torso(view: View, bust: Bust, x: Image, y: Image) -> View:
    """The view with what lies outside the bust's canvas, below and beside it; x and y are face coordinates.

    Clothes go on as their mirror image in the canvas' edge; arms fall straight from rounded shoulders.
    """
    if y.max() <= INSIDE and np.abs(x).max() <= INSIDE:
        return view
    fold_x = np.where(np.abs(x) > INSIDE, np.sign(x) * (2 * INSIDE - np.abs(x)), x)
    below = np.mod(np.clip(y - INSIDE, 0.0, None), 2 * BAND)
    fold_y = np.where(y > INSIDE, INSIDE - np.minimum(below, 2 * BAND - below), y)
    half = bust.cover.shape[0] / 2
    column, row = ((place / EXTENT * half + half - 0.5) for place in (fold_x, fold_y))
    beyond = step(INSIDE - 0.02, INSIDE, np.maximum(np.abs(x), y))
    # Shoulders slope down to the arms, which end where a person's width does.
    slope = np.clip((np.abs(x) - 0.9) / (SHOULDER - 0.9), 0.0, 1.0)
    line = 1.0 + 0.5 * (1.0 - np.sqrt(np.clip(1.0 - slope**2.2, 0.0, 1.0)))
    body = step(0.0, 0.02, np.minimum(SHOULDER - np.abs(x), y - line))
    cover = np.where(y > INSIDE, 1.0, sample(bust.cover, column, row)) * body
    bulge = 0.30 * np.sqrt(np.clip(1.0 - (x / SHOULDER) ** 2, 0.0, 1.0)) + 0.05
    height = mix(view.height[..., None], bulge[..., None], beyond)[..., 0]
    return replace(
        view,
        albedo=mix(view.albedo, sample(bust.albedo, column, row), beyond),
        height=np.where(beyond > 0, blur(height.astype(np.float32), 0.02 / view.scale), view.height),
        cover=(view.cover + (cover - view.cover) * beyond).astype(np.float32),
        gloss=view.gloss * (1.0 - 0.7 * beyond),
    )
