"""Turn radiance into the recorded picture at the sensor's pixels, in one way for live faces and attacks."""

from __future__ import annotations

import cv2
import numpy as np

from rfmeta_dist.synth.imaging.codec import Pixels, recorded
from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, encode_srgb, luminance, resize
from rfmeta_dist.synth.optics.camera import Settings, Sight
from rfmeta_dist.synth.optics.framing import Raster
from rfmeta_dist.synth.optics.pattern import Pattern, on_pixels, resolved

MIDDLE_GREY = 0.20
METERED = 0.6  # half width of the metered area as a share of the crop's, for exposure and white balance
SKIN = np.array([1.55, 1.0, 0.75])  # colour of the middle of a crop under neutral light, relative to green
BALANCED = 0.4  # share of a colour cast that automatic white balance removes
SPREAD = 0.9  # usual contrast of the metered area, in stops
LEVELLED = 0.6  # share of an unusual contrast that automatic contrast removes
BLACKEST = 1.0  # percentile of the metered area's brightness that counts as its black level
CLEARED = 0.8  # share of the black level that the camera subtracts
VEIL = 0.05  # largest level that the camera subtracts
BRIGHTEST = 4.0  # linear level at which the tone curve ends
# Which pixels of the sensor measure which colour: every second one of some rows and columns.
MOSAIC = tuple(
    (channel, (slice(row, None, 2), slice(column, None, 2)))
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1))
)


def capture(
    radiance: Image, sight: Sight, settings: Settings, rng: Rng, pattern: Pattern | None = None
) -> Pixels:
    """Photograph a scene.

    Args:
        radiance: linear RGB, H×W×3, in any unit, at the points of the scene.
        sight: where the points and the sensor's pixels are.
        settings: the settings of the camera.
        rng: random generator of this frame's noise.
        pattern: what is too fine for the points of the scene: the dots or pixels of a carrier in view.

    Returns:
        8-bit display values, one for each sensor pixel, before they are recorded (see `record`).
    """
    scene, pixels = sight
    optical = on_pixels(blur(radiance, settings.defocus * pixels.pitch / scene.pitch), scene, pixels)
    if pattern is not None:
        fine = resolved(pattern, scene, pixels, settings.defocus)
        optical = optical if fine is None else optical * fine
    return _develop(_mosaic(_expose(optical, pixels, settings), settings, rng), pixels, settings)


def record(picture: Pixels, settings: Settings) -> Pixels:
    """Return the picture as it is decoded from the camera's file."""
    return recorded(picture, settings.format, settings.codec)


def fit(picture: Pixels, size: int) -> Pixels:
    """Resize a square picture to `size` pixels a side."""
    if size == picture.shape[0]:
        return picture
    resized: Pixels = cv2.resize(
        picture, (size, size), interpolation=cv2.INTER_AREA if size < picture.shape[0] else cv2.INTER_LINEAR
    )
    return resized


def _expose(optical: Image, raster: Raster, settings: Settings) -> Image:
    """Return what each pixel of the sensor gets of its own colour, H×W.

    Exposure and white balance are measured automatically on the middle of the crop, with errors. Vignetting and
    flare are added.
    """
    x, y = raster.axes()
    middle = np.array(cv2.mean(_middle(optical, raster))[:3])
    gain = MIDDLE_GREY * 2.0**settings.exposure / max(float(luminance(middle)), 1e-4)
    corner = (x - np.float32(settings.centre[0])) ** 2 + (y - np.float32(settings.centre[1])) ** 2
    falloff = np.float32(gain) * (1 - np.float32(settings.vignette) * corner / (corner + np.float32(2.0)))
    # Green is kept fixed, so that white balance changes the hue and hardly the exposure.
    cast = np.clip(middle / max(float(middle[1]), 1e-4) / SKIN, 0.25, 4.0) ** (-BALANCED * settings.automatic)
    tint = cast * np.array([1 + 0.25 * settings.balance, 1.0, 1 - 0.30 * settings.balance])
    share = (tint / (1.0 + settings.flare)).astype(np.float32)
    veil = np.float32(settings.flare * MIDDLE_GREY) * share
    exposed = np.empty(optical.shape[:2], np.float32)
    for channel, sites in MOSAIC:
        exposed[sites] = optical[sites][..., channel] * (share[channel] * falloff[sites]) + veil[channel]
    return exposed


def _mosaic(raw: Image, settings: Settings, rng: Rng) -> Image:
    """Record one colour per pixel with shot and read noise, then demosaic bilinearly."""
    spread = np.float32(settings.noise) * np.sqrt(np.maximum(raw, 0.0) / MIDDLE_GREY + 0.15)
    raw = raw + spread * rng.standard_normal(raw.shape, dtype=np.float32)
    counts = np.clip(raw * 16384.0 + 1024.0, 0, 65535).astype(np.uint16)
    # OpenCV names a mosaic by its second row, so the constant for an RGGB sensor is called "BG".
    colour: Image = cv2.cvtColor(counts, cv2.COLOR_BayerBG2RGB).astype(np.float32)
    colour -= np.float32(1024.0)
    colour *= np.float32(1.0 / 16384.0)
    return colour


def _middle(picture: Image, raster: Raster) -> Image:
    """Return the part of a picture that the camera meters."""
    x, y = raster.axes()
    rows, columns = np.flatnonzero(np.abs(y[:, 0]) < METERED), np.flatnonzero(np.abs(x[0]) < METERED)
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _develop(linear: Image, raster: Raster, settings: Settings) -> Pixels:
    """Apply black level, saturation, tone curve, denoising and sharpening. Return 8-bit display values."""
    # Levels are measured on a small picture, because a camera does not meter single pixels.
    small = _middle(linear, raster)
    small = luminance(resize(small, min(96, small.shape[1]))) if small.shape[1] > 96 else luminance(small)
    dark = float(np.percentile(blur(small, small.shape[1] / 77), BLACKEST))
    dark = min(max(CLEARED * settings.automatic * dark, 0.0), VEIL)
    spread = float(np.log2(np.maximum(blur(small - np.float32(dark), small.shape[1] / 19), 0.01)).std())
    contrast = settings.contrast * (SPREAD / min(max(spread, 0.4), 2.5)) ** (LEVELLED * settings.automatic)
    display = _toned(linear, _saturation(settings.saturation), dark, contrast)
    if settings.denoise > 0.05:
        display = _denoised(display, settings)
    if settings.sharpen > 0.02:
        display = display + np.float32(settings.sharpen * 2.0) * (display - blur(display, 1.0))
    return _quantise(display * np.float32(255.0))


def _saturation(amount: float) -> Image:
    """Return the matrix that moves linear RGB away from (above 1) or towards (below 1) its luminance."""
    grey = np.tile(luminance(np.eye(3, dtype=np.float32)), (3, 1))
    matrix: Image = amount * np.eye(3) + (1.0 - amount) * grey
    return matrix


def _toned(linear: Image, saturation: Image, dark: float, contrast: float) -> Image:
    """Subtract the black level from linear RGB and look up the tone curve in a table, as powers are slow."""
    levels = np.linspace(0.0, BRIGHTEST, 1 << 16, dtype=np.float32)
    toned = MIDDLE_GREY * np.power(levels / MIDDLE_GREY, contrast, dtype=np.float32)
    shoulder = 1.0 - 0.16 / (np.maximum(toned, 0.6) - 0.2)
    curve = encode_srgb(np.where(toned > 0.6, shoulder, toned).astype(np.float32))
    # Saturation does not change grey, so the black level may be subtracted after it.
    scale = 65535.0 / BRIGHTEST
    places = cv2.transform(linear, np.c_[saturation * scale, np.full(3, 0.5 - dark * scale)])
    display: Image = curve.take(np.clip(places, 0.0, 65535.0, out=places).astype(np.uint16))
    return display


def _denoised(display: Image, settings: Settings) -> Image:
    """Smooth away detail that is no larger than the noise, and colour noise more strongly, as phones do."""
    bright, red, blue = cv2.split(cv2.cvtColor(display, cv2.COLOR_RGB2YCrCb))
    smooth = blur(bright, 1.1)
    detail = bright - smooth
    # At middle grey, the tone curve turns a step of linear light into about 1.1 times that display value.
    floor = np.float32(settings.denoise * settings.noise * 1.1 + 1e-4)
    kept = detail * detail / (detail * detail + floor * floor)
    merged = cv2.merge([smooth + detail * kept, blur(red, 1.5), blur(blue, 1.5)])
    cleaned: Image = cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB)
    return cleaned


def _quantise(levels: Image) -> Pixels:
    rounded: Pixels = np.clip(levels + np.float32(0.5), 0, 255).astype(np.uint8)
    return rounded
