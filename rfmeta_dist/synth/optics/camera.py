"""The camera: scene radiance in, recorded picture out; the same steps for live faces and attacks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from rfmeta_dist.synth.imaging.codec import Format, Pixels, recorded
from rfmeta_dist.synth.imaging.texture import Image, Rng, blur, encode_srgb, luminance, resize
from rfmeta_dist.synth.optics.framing import Raster

Range = tuple[float, float]
OVERSAMPLING = 2  # scene samples per sensor pixel and axis
MIDDLE_GREY = 0.20
METERED = 0.6  # of the crop's half width: where exposure and white balance are measured
SKIN = np.array([1.55, 1.0, 0.75])  # the middle of a crop under neutral light, relative to green
BALANCED = 0.4  # share of a colour cast that automatic white balance takes away
SPREAD = 0.9  # usual contrast of that middle, in stops …
LEVELLED = 0.6  # … and the share of an unusual one that automatic contrast takes away
BLACKEST = 1.0  # per cent of that middle that are its darkest: pupils, nostrils, brows, hair …
CLEARED = 0.8  # … the share of their light that counts as a veil and is taken away …
VEIL = 0.05  # … up to this much


@dataclass(frozen=True)
class Camera:
    """A camera model; ranges are drawn once per recording.

    Attributes:
        sensor: pixels across the face crop.
        defocus: lens blur, standard deviation in sensor pixels.
        vignette: light lost far from the lens axis; two thirds of it at the corner of the crop.
        balance: white balance error, −1 (blue) to 1 (orange).
        noise: standard deviation of noise at middle grey, in linear units, of one of `sensor` pixels.
        exposure: error in stops.
        contrast: exponent of the tone curve about middle grey.
        saturation: 0 grey, 1 as the scene.
        sharpen: unsharp mask weight.
        flare: light scattered evenly over the picture, relative to its mean.
        codec: quality of the recording, 1 to 100, at sensor resolution.
        format: of the recording.
        frame: height and width of the whole picture in sensor pixels, of which the face crop is a part.
        automatic: weight of automatic white balance, contrast and black level; exposure always is.
    """

    name: str
    sensor: int
    defocus: Range
    vignette: Range
    balance: Range
    noise: Range
    exposure: Range = (-0.35, 0.40)
    contrast: Range = (0.95, 1.3)
    saturation: Range = (0.75, 1.1)
    sharpen: Range = (0.0, 0.3)
    flare: Range = (0.0, 0.12)
    codec: Range = (60, 90)
    format: Format = "jpeg"
    frame: tuple[int, int] = (480, 640)
    automatic: float = 1.0


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
    format: Format
    automatic: float
    centre: tuple[float, float]


def set_up(camera: Camera, size: int, rng: Rng) -> Settings:
    """Draw one recording's settings.

    Far more pixels than the crop has would only be averaged away, so there are fewer, with less noise each.
    """
    sensor = min(camera.sensor, 3 * size // 2) // 2 * 2
    return Settings(
        sensor=sensor,
        defocus=rng.uniform(*camera.defocus),
        vignette=rng.uniform(*camera.vignette),
        balance=rng.uniform(*camera.balance),
        noise=rng.uniform(*camera.noise) * min(1.0, sensor / camera.sensor),
        exposure=rng.uniform(*camera.exposure),
        contrast=rng.uniform(*camera.contrast),
        saturation=rng.uniform(*camera.saturation),
        sharpen=rng.uniform(*camera.sharpen),
        flare=rng.uniform(*camera.flare),
        codec=rng.uniform(*camera.codec),
        format=camera.format,
        automatic=camera.automatic,
        centre=(rng.uniform(-1.0, 1.0), rng.uniform(-0.5, 1.0)),
    )


def see(settings: Settings, frame: tuple[int, int] | None = None) -> Raster:
    """The samples of the scene that a camera needs.

    Args:
        settings: the camera's.
        frame: height and width of the whole frame in sensor pixels, both even and no less than the crop's;
            None for the crop alone.

    The frame's middle is the lens axis, moved no further from the crop than keeps the crop in the frame.
    """
    pitch = 2.0 / (settings.sensor * OVERSAMPLING)
    if frame is None:
        return Raster(-1.0, -1.0, pitch, settings.sensor * OVERSAMPLING, settings.sensor * OVERSAMPLING)
    corner = []
    for side, axis in zip(frame, reversed(settings.centre), strict=True):
        room = side / settings.sensor - 1.0
        first = min(max(axis, -room), room) - side / settings.sensor
        # The crop begins on a whole pixel, of the same colour of the mosaic as when it is alone.
        corner.append(-1.0 - 2.0 * round((-1.0 - first) * settings.sensor / 4) * 2 / settings.sensor)
    return Raster(corner[1], corner[0], pitch, frame[0] * OVERSAMPLING, frame[1] * OVERSAMPLING)


def capture(radiance: Image, raster: Raster, settings: Settings, rng: Rng) -> Pixels:
    """Photograph a scene.

    Args:
        radiance: linear RGB, H×W×3, any scale, one or OVERSAMPLING samples per sensor pixel and axis; only
            oversampled patterns can fold into moiré.
        raster: where its samples are.
        settings: the camera's.
        rng: source of this frame's noise.

    Returns:
        8-bit display values, one a sensor pixel, before they are recorded (see `record`).
    """
    stride = round(2.0 / raster.pitch / settings.sensor)
    optical = blur(radiance, settings.defocus * stride)
    # Point sampling after the lens is what folds fine patterns into moiré.
    optical = np.ascontiguousarray(optical[stride // 2 :: stride, stride // 2 :: stride])
    height, width = optical.shape[:2]
    sampled = Raster(raster.left, raster.top, raster.pitch * stride, height, width)
    return _develop(_mosaic(_expose(optical, sampled, settings), settings, rng), sampled, settings)


def record(picture: Pixels, settings: Settings) -> Pixels:
    """The picture as it comes back from the camera's file."""
    return recorded(picture, settings.format, settings.codec)


def fit(picture: Pixels, size: int) -> Pixels:
    """A square picture at `size` pixels a side."""
    if size == picture.shape[0]:
        return picture
    return _quantise(resize(picture.astype(np.float32), size))


def _expose(optical: Image, raster: Raster, settings: Settings) -> Image:
    """Automatic exposure and white balance on the middle of the crop, vignetting, flare, and their errors."""
    x, y = raster.grid()
    middle = _middle(optical, raster).mean(axis=(0, 1))
    gain = MIDDLE_GREY * 2.0**settings.exposure / max(float(luminance(middle)), 1e-4)
    corner = (x - settings.centre[0]) ** 2 + (y - settings.centre[1]) ** 2
    falloff = np.float32(gain) * (1 - np.float32(settings.vignette) * corner / (corner + np.float32(2.0)))
    # Green is fixed, so that balance changes hue and hardly exposure.
    cast = np.clip(middle / max(float(middle[1]), 1e-4) / SKIN, 0.25, 4.0) ** (-BALANCED * settings.automatic)
    tint = cast * np.array([1 + 0.25 * settings.balance, 1.0, 1 - 0.30 * settings.balance])
    exposed: Image = optical * (tint / (1.0 + settings.flare)).astype(np.float32)
    exposed *= falloff[..., None]
    exposed += (settings.flare * MIDDLE_GREY / (1.0 + settings.flare) * tint).astype(np.float32)
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


def _middle(picture: Image, raster: Raster) -> Image:
    """The part of a picture that the camera meters."""
    x, y = raster.grid()
    rows, columns = np.flatnonzero(np.abs(y[:, 0]) < METERED), np.flatnonzero(np.abs(x[0]) < METERED)
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _develop(linear: Image, raster: Raster, settings: Settings) -> Pixels:
    """Black level, saturation, contrast, highlight shoulder and sharpening → 8-bit display values."""
    dark = float(np.percentile(blur(_middle(luminance(linear), raster), settings.sensor / 128), BLACKEST))
    linear = linear - np.float32(min(max(CLEARED * settings.automatic * dark, 0.0), VEIL))
    grey = luminance(linear)
    spread = float(np.log2(np.maximum(blur(_middle(grey, raster), settings.sensor / 32), 0.01)).std())
    contrast = settings.contrast * (SPREAD / min(max(spread, 0.4), 2.5)) ** (LEVELLED * settings.automatic)
    colour = np.clip(grey[..., None] + (linear - grey[..., None]) * settings.saturation, 0.0, None)
    toned = MIDDLE_GREY * np.power(colour / MIDDLE_GREY, contrast, dtype=np.float32)
    shoulder = 1.0 - 0.16 / (np.maximum(toned, 0.6) - 0.2)
    display = encode_srgb(np.where(toned > 0.6, shoulder, toned).astype(np.float32))
    if settings.sharpen > 0.02:
        display = display + settings.sharpen * 2.0 * (display - blur(display, 1.0))
    return _quantise(display * 255.0)


def _quantise(levels: Image) -> Pixels:
    rounded: Pixels = np.clip(levels + 0.5, 0, 255).astype(np.uint8)
    return rounded
