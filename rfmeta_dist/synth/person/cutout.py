"""Turn a portrait into a bust: cut the person out, remove the light, and add a relief."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.head.head import EXTENT, EYE, MOUTH, Head, bend_head, mean_head
from rfmeta_dist.synth.head.landmarks import Affine, bend, lips
from rfmeta_dist.synth.imaging.texture import Image, blur, decode_srgb, grid, luminance, mix, resize, step
from rfmeta_dist.synth.person.bust import CACHED, Bust, close_lids, join_mimic
from rfmeta_dist.synth.person.canvas import Canvas
from rfmeta_dist.synth.person.eyes import EyeLook, eye_opening, shut_eye
from rfmeta_dist.synth.person.features import parting

MATTE_SIZE = 192
SHUT = EyeLook((0.0, 0.0, 0.0), 0.4, (0.0, 0.0), 0.03, 0.6, 0.0, 0.0, (1.0, 0.0, 0.0), 0.0)


@lru_cache(maxsize=CACHED)
def cut_out(path: str, fit: Affine, mesh: bytes, resolution: int) -> Bust:
    """Return the person of a portrait as a bust; see `Portrait` for `fit` and `mesh`; `resolution` is N."""
    drawn = _straight(path, fit, resolution)
    if mesh:
        points = np.frombuffer(mesh, np.float32).reshape(-1, 3)
        head = bend_head(bend(points, fit), resolution)
        line, apart = lips(points, fit)
    else:
        head, apart = mean_head(resolution), 0.0
        t = np.linspace(-1.0, 1.0, 41)
        line = head.at(np.stack([t * MOUTH[0], parting(t)], -1)).T
    matte = _matte(drawn, head)
    linear = decode_srgb((drawn / np.float32(255)).astype(np.float32))
    albedo = _clean_edge(_flatten(linear, matte), matte)
    face = step(1.12, 0.85, np.hypot(head.u / 0.44, (head.v - 0.02) / 0.62))
    x, y = grid(resolution, EXTENT)
    canvas = Canvas(
        head, x, y, head.u, head.v, albedo, _relief(matte, head, face), 0.05 * matte, matte, matte * face
    )
    shut, closing = _with_eyes_shut(canvas, drawn)
    left, right = head.at(np.array([[-EYE[0], EYE[1]], EYE]))
    # Lips that are apart in the photo already show teeth, so such a mouth is not opened much further.
    acts = (head.acts[0] * (1.0 if apart < 0.02 else 0.35), *head.acts[1:])
    return Bust(
        albedo=np.clip(albedo, 0.002, 0.95).astype(np.float32),
        height=canvas.height,
        cover=matte,
        gloss=canvas.gloss.astype(np.float32),
        skin=canvas.skin.astype(np.float32),
        eyes=(float(right[0] - left[0]) / 2, float(right[1] + left[1]) / 2),
        mimic=join_mimic(acts, line, shut, closing),
    )


def _straight(path: str, fit: Affine, resolution: int) -> NDArray[np.uint8]:
    """Return the picture over [−EXTENT, EXTENT]² in face coordinates, RGB."""
    picture = cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    x, y = grid(resolution, EXTENT)
    a, b, c, d = fit
    column, row = (a * x - b * y + c).astype(np.float32), (b * x + a * y + d).astype(np.float32)
    mode = cv2.INTER_AREA if a * EXTENT > resolution else cv2.INTER_CUBIC
    drawn: NDArray[np.uint8] = cv2.remap(picture, column, row, mode, borderMode=cv2.BORDER_REPLICATE)
    return drawn


def _matte(drawn: NDArray[np.uint8], head: Head) -> Image:
    """Return the cover of the person, N×N in [0, 1], by GrabCut started from the head's outline."""
    size = (MATTE_SIZE, MATTE_SIZE)
    small = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
    u, v = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (head.u, head.v))
    dome = np.hypot(u / 0.47, np.where(v < -0.1, (v + 0.1) / 0.70, (v + 0.1) / 0.73))
    below = v - (0.90 + 0.30 * np.clip(np.abs(u) - 0.3, 0.0, None) ** 1.3)
    labels = np.full(size, cv2.GC_PR_BGD, np.uint8)
    labels[(dome < 1.3) | (below > 0)] = cv2.GC_PR_FGD
    labels[(dome < 0.78) | ((np.abs(u) < 0.2) & (v > 0.5)) | ((below > 0.15) & (np.abs(u) < 0.7))] = cv2.GC_FGD
    # These areas are background, because neither hair nor shoulders reach there.
    labels[((dome > 1.75) & (v < 0.45)) | ((np.abs(u) > 0.72) & (v < 0.62 + 0.4 * (np.abs(u) - 0.72)))] = (
        cv2.GC_BGD
    )
    # GrabCut takes its seeds from OpenCV's global random generator, so that is set to a fixed state.
    cv2.setRNGSeed(1)
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # Parts that only a thin bridge connects to the person belong to the background.
    core = cv2.morphologyEx(person, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    _, parts = cv2.connectedComponents(core)
    core = (parts == parts[MATTE_SIZE // 2, MATTE_SIZE // 2]).astype(np.uint8)
    person = person & cv2.dilate(core, np.ones((5, 5), np.uint8))
    soft = blur(resize(blur(person.astype(np.float32), 0.9), drawn.shape[1]), drawn.shape[1] / 400)
    return step(0.48, 0.92, soft)


def _clean_edge(albedo: Image, matte: Image) -> Image:
    """Replace the colours of the soft outline by colours from inside, so that no old background is visible."""
    sigma = albedo.shape[1] / 160
    inside = cv2.erode((matte > 0.97).astype(np.float32), np.ones((3, 3)), iterations=max(1, round(sigma / 2)))
    near = blur(albedo * inside[..., None], sigma) / (blur(inside, sigma)[..., None] + np.float32(1e-3))
    return mix(albedo, near, (1.0 - inside) * step(0.02, 0.1, blur(inside, sigma)))


def _relief(matte: Image, head: Head, face: Image) -> Image:
    """Return the height of the head. Hair and clothes around the face rise gently from the outline."""
    inward = cv2.distanceTransform((matte > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    inward = inward.astype(np.float32) * (2 * EXTENT / matte.shape[0])
    rise = 0.34 * np.sqrt(np.clip(inward / 0.4, 0.0, 1.0)) - 0.06
    around = np.maximum(rise, np.minimum(head.height, 0.42) * head.cover)
    around = blur(around.astype(np.float32), 0.03 * matte.shape[0] / EXTENT)
    height: Image = around + (head.height - around) * face
    return height.astype(np.float32)


def _flatten(linear: Image, matte: Image) -> Image:
    """Remove most of the photo's own soft shading, so that the light added later does not add to it."""
    small, cover = resize(linear, MATTE_SIZE), resize(matte, MATTE_SIZE) + np.float32(1e-3)
    shading = blur(luminance(small) * cover, 14) / blur(cover, 14)
    gain = (np.median(shading[cover > 0.5]) / np.clip(shading, 0.02, None)) ** 0.6
    # Glare is not a property of skin, so spots much brighter than their surroundings are darkened.
    bright = luminance(small) * gain / np.median(shading[cover > 0.5])
    glare = np.clip(bright / np.clip(blur(bright * cover, 6) / blur(cover, 6), 0.2, None) - 1.15, 0.0, None)
    gain = np.clip(gain, 0.5, 1.8) / (1.0 + 0.8 * blur(glare.astype(np.float32), 1.0))
    flattened: Image = linear * resize(gain.astype(np.float32), linear.shape[1])[..., None]
    return flattened


def _with_eyes_shut(canvas: Canvas, drawn: NDArray[np.uint8]) -> tuple[Canvas, Image]:
    """Return the canvas with lids painted like the skin near them, and how far down the opening pixels lie."""
    opening = np.maximum(*(eye_opening(canvas, side) for side in (-1, 1)))
    wide = cv2.dilate(opening, np.ones((3, 3)), iterations=max(1, round(0.024 / canvas.pixel)))
    scale = 448 / max(448, drawn.shape[0])
    size = round(drawn.shape[0] * scale), round(drawn.shape[0] * scale)
    encoded = np.clip(np.clip(canvas.albedo, 0, 1) ** (1 / 2.2) * 255, 0, 255).astype(np.uint8)
    hole = (cv2.resize(wide, size, interpolation=cv2.INTER_AREA) > 0.2).astype(np.uint8)
    skin = cv2.inpaint(cv2.resize(encoded, size, interpolation=cv2.INTER_AREA), hole, 5, cv2.INPAINT_TELEA)
    lid = resize(decode_srgb((skin / np.float32(255)).astype(np.float32)), drawn.shape[1])
    painted = replace(
        canvas, albedo=mix(canvas.albedo, lid, step(0.0, 0.5, blur(wide, 1.0))).astype(np.float32)
    )
    shut = close_lids(painted)
    rng = generator("lashes")
    return shut, np.maximum(*(shut_eye(shut, SHUT, side, rng) for side in (-1, 1)))
