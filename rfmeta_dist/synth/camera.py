"""The camera: scene radiance in, JPEG crop out; the same steps for live faces and attacks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from rfmeta_dist.synth.texture import Image, Rng, blur, encode_srgb, grid, luminance, resize

Range = tuple[float, float]
Pixels = NDArray[np.uint8]
OVERSAMPLING = 2  # scene samples per sensor pixel and axis
MIDDLE_GREY = 0.20


@dataclass(frozen=True)
class Camera:
    """A camera model; ranges are drawn once per recording.

    Attributes:
        sensor: pixels across the face crop.
        defocus: lens blur, standard deviation in sensor pixels.
        vignette: light lost at the corner of the crop.
        balance: white balance error, −1 (blue) to 1 (orange).
        noise: standard deviation of noise at middle grey, in linear units.
        exposure: error in stops.
        contrast: exponent of the tone curve about middle grey.
        saturation: 0 grey, 1 as the scene.
        sharpen: unsharp mask weight.
        flare: light scattered evenly over the picture, relative to its mean.
        codec: quality of the video codec (JPEG at sensor resolution).
    """

    name: str
    sensor: int
    defocus: Range
    vignette: Range
    balance: Range
    noise: Range
    exposure: Range = (-0.45, 0.45)
    contrast: Range = (0.8, 1.25)
    saturation: Range = (0.75, 1.1)
    sharpen: Range = (0.0, 0.3)
    flare: Range = (0.0, 0.25)
    codec: Range = (60, 90)


@dataclass(frozen=True)
class Settings:
    """A camera as set for one recording: see `Camera`; `centre` is the lens axis in crop coordinates."""

    sensor: int
    defocus: float
    vignette: float
    balance: float
    noise: float
    exposure: float
    contrast: float
    saturation: float
    sharpen: float
    flare: float
    codec: float
    centre: tuple[float, float]


def set_up(camera: Camera, size: int, rng: Rng) -> Settings:
    """Draw one recording's settings; far more than the crop's size would only be averaged away."""
    return Settings(
        sensor=min(camera.sensor, 3 * size // 2) // 2 * 2,
        defocus=rng.uniform(*camera.defocus),
        vignette=rng.uniform(*camera.vignette),
        balance=rng.uniform(*camera.balance),
        noise=rng.uniform(*camera.noise),
        exposure=rng.uniform(*camera.exposure),
        contrast=rng.uniform(*camera.contrast),
        saturation=rng.uniform(*camera.saturation),
        sharpen=rng.uniform(*camera.sharpen),
        flare=rng.uniform(*camera.flare),
        codec=rng.uniform(*camera.codec),
        centre=(rng.uniform(-1.0, 1.0), rng.uniform(-1.0, 1.0)),
    )


def resolution(settings: Settings) -> int:
    """Pixels across an oversampled radiance image."""
    return settings.sensor * OVERSAMPLING


def capture(radiance: Image, settings: Settings, size: int, rng: Rng) -> Pixels:
    """Photograph a scene.

    Args:
        radiance: linear RGB of the crop, any scale, one or OVERSAMPLING samples per sensor pixel
            and axis; only oversampled patterns can fold into moiré.
        settings: the camera's.
        size: side of the result in pixels.
        rng: source of this frame's noise.

    Returns:
        size×size×3 8-bit display values.
    """
    stride = radiance.shape[0] // settings.sensor
    optical = blur(radiance, settings.defocus * stride)
    # Point sampling after the lens is what folds fine patterns into moiré.
    optical = np.ascontiguousarray(optical[stride // 2 :: stride, stride // 2 :: stride])
    exposed = _expose(optical, settings)
    picture = _develop(_mosaic(exposed, settings, rng), settings)
    stored = decode_jpeg(encode_jpeg(picture, settings.codec))
    return stored if size == settings.sensor else _scale(stored, size)


def encode_jpeg(picture: Pixels, quality: float) -> bytes:
    """JPEG bytes of an RGB picture, chroma halved as cameras do."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(picture),
        quality=round(quality),
        colorspace="RGB",
        colorsubsampling="420",
    )
    return data


def decode_jpeg(data: bytes) -> Pixels:
    """The RGB picture of JPEG bytes."""
    picture: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return picture


def _expose(optical: Image, settings: Settings) -> Image:
    """Automatic exposure on the middle of the crop, vignetting, flare and the white balance error."""
    border = settings.sensor // 5
    middle = luminance(optical[border:-border, border:-border])
    gain = MIDDLE_GREY * 2.0**settings.exposure / max(float(middle.mean()), 1e-4)
    x, y = grid(settings.sensor)
    corner = (x - settings.centre[0]) ** 2 + (y - settings.centre[1]) ** 2
    falloff = gain * (1.0 - settings.vignette * np.clip(corner / 4.0, 0.0, 1.0))
    # Green is fixed, so that the error changes hue and hardly exposure.
    tint = np.array([1 + 0.25 * settings.balance, 1.0, 1 - 0.30 * settings.balance], np.float32)
    scattered = settings.flare * MIDDLE_GREY
    exposed: Image = (optical * falloff[..., None] + scattered) * tint / (1.0 + settings.flare)
    return exposed


def _mosaic(exposed: Image, settings: Settings, rng: Rng) -> Image:
    """What the sensor records: one colour a pixel, shot and read noise; then bilinear demosaicing."""
    raw = exposed[..., 1].copy()
    raw[0::2, 0::2] = exposed[0::2, 0::2, 0]
    raw[1::2, 1::2] = exposed[1::2, 1::2, 2]
    spread = settings.noise * np.sqrt(np.clip(raw, 0.0, None) / MIDDLE_GREY + 0.15)
    raw += spread * rng.standard_normal(raw.shape, dtype=np.float32)
    counts = np.clip(raw * 16384.0 + 1024.0, 0, 65535).astype(np.uint16)
    # OpenCV names the pattern by its second row: an RGGB sensor is "BG", here to RGB.
    colour = cv2.cvtColor(counts, cv2.COLOR_BayerBG2RGB).astype(np.float32)
    linear: Image = (colour - 1024.0) / 16384.0
    return linear


def _develop(linear: Image, settings: Settings) -> Pixels:
    """Saturation, highlight shoulder, tone curve and sharpening → 8-bit display values."""
    grey = luminance(linear)[..., None]
    colour = np.clip(grey + (linear - grey) * settings.saturation, 0.0, None)
    toned = MIDDLE_GREY * np.power(colour / MIDDLE_GREY, settings.contrast, dtype=np.float32)
    shoulder = 1.0 - 0.16 / (np.maximum(toned, 0.6) - 0.2)
    display = encode_srgb(np.where(toned > 0.6, shoulder, toned).astype(np.float32))
    if settings.sharpen > 0.02:
        display = display + settings.sharpen * 2.0 * (display - blur(display, 1.0))
    return _quantise(display * 255.0)


def _scale(picture: Pixels, size: int) -> Pixels:
    return _quantise(resize(picture.astype(np.float32), size))


def _quantise(levels: Image) -> Pixels:
    rounded: Pixels = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    return rounded
