"""Describe cameras in physical units, set them up for a recording, and compute what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rfmeta_dist.synth.imaging.codec import Format
from rfmeta_dist.synth.imaging.texture import Rng
from rfmeta_dist.synth.optics.framing import FACE_UNIT_MM, Framing, Raster

Range = tuple[float, float]
DETAIL = 2.5  # samples of the scene per pixel of the stored crop; shrinking would average more of them away
LARGEST = 1024  # most sensor pixels across a crop; a closer face gets coarser pixels


@dataclass(frozen=True)
class Camera:
    """A camera model. For each occasion (a live recording and its attacks), each range gives a random value.

    Attributes:
        name: name of the camera, which distinguishes it from the domain's others.
        focal: focal length in millimetres.
        pitch: width of a pixel of the recorded frame on the sensor, in micrometres: the width of the part of
            the sensor that is recorded, divided by the frame's width in pixels.
        distance: range of the distance of the face from the lens, in millimetres.
        defocus: range of the lens blur, as standard deviation in sensor pixels.
        vignette: range of the share of light lost far from the lens axis. Half of it is lost at a corner of the
            crop if the axis is in the middle of the crop.
        balance: range of the white balance error, −1 (blue) to 1 (orange).
        noise: range of the standard deviation of a pixel's noise at middle grey, in linear units.
        exposure: range of the exposure error in stops.
        contrast: range of the exponent of the tone curve about middle grey.
        saturation: range of the saturation; 0 is grey, 1 is as the scene.
        denoise: range of how many standard deviations of its own noise the camera smooths away.
        sharpen: range of the weight of the unsharp mask.
        flare: range of the light scattered evenly over the picture, relative to its mean.
        codec: range of the quality of the recording, 1 to 100, at sensor resolution.
        format: file format of the recording.
        frame: height and width in pixels of the whole picture, of which the face crop is a part.
        automatic: weight of automatic white balance, contrast and black level. Exposure is always automatic.
    """

    name: str
    focal: float
    pitch: float
    distance: Range
    defocus: Range
    vignette: Range
    balance: Range
    noise: Range
    exposure: Range = (-0.35, 0.40)
    contrast: Range = (0.95, 1.3)
    saturation: Range = (0.75, 1.1)
    denoise: Range = (0.0, 1.5)
    sharpen: Range = (0.0, 0.3)
    flare: Range = (0.0, 0.12)
    codec: Range = (60, 90)
    format: Format = "jpeg"
    frame: tuple[int, int] = (480, 640)
    automatic: float = 1.0

    def __post_init__(self) -> None:
        require_positive(self, "focal", "pitch", "distance")

    def density(self, distance: float) -> float:
        """Return how many pixels of the sensor cover a face unit (162 mm) at a distance in millimetres."""
        return FACE_UNIT_MM * self.focal / (self.pitch * 1e-3 * distance)


@dataclass(frozen=True)
class Settings:
    """The settings of a camera on one occasion.

    A field that is not listed here is a value from the range of the same field of `Camera`, chosen at random.

    Attributes:
        sensor: pixels across the crop, an even number.
        scene: points of the scene across the crop at which light is computed, at most `sensor`.
        away: distance of the face in face units.
        centre: the lens axis in crop coordinates.
        frame: height and width of the whole picture in pixels, at least those of the crop.
    """

    sensor: int
    scene: int
    away: float
    defocus: float
    vignette: float
    balance: float
    noise: float
    exposure: float
    contrast: float
    saturation: float
    denoise: float
    sharpen: float
    flare: float
    codec: float
    format: Format
    automatic: float
    centre: tuple[float, float]
    frame: tuple[int, int]


def require_positive(part: object, *names: str) -> None:
    """Raise a ValueError if a length, or the lower end of a range of lengths, is not above zero."""
    for name in names:
        value = getattr(part, name)
        if not min(value if isinstance(value, tuple) else (value,)) > 0:
            raise ValueError(f"{name} is not above 0; give a positive length")


class Sight(NamedTuple):
    """What a camera sees.

    Attributes:
        scene: the grid of points at which the scene's light is computed.
        pixels: the sensor's pixels, which measure that light; at least as fine as `scene`.
    """

    scene: Raster
    pixels: Raster


def set_up(camera: Camera, framing: Framing, size: int, rng: Rng) -> Settings:
    """Choose the settings of one occasion at random.

    Args:
        camera: the camera model.
        framing: framing of the crop.
        size: side of the crop as it is stored, in pixels. The scene is sampled only as finely as this size can
            show.
        rng: random generator of the occasion.
    """
    distance = rng.uniform(*camera.distance)
    sensor = 2 * round(min(max(2.0 * framing.half * camera.density(distance), 32.0), LARGEST) / 2)
    return Settings(
        sensor=sensor,
        scene=min(sensor, 2 * round(DETAIL * size / 2)),
        away=distance / FACE_UNIT_MM,
        defocus=rng.uniform(*camera.defocus),
        vignette=rng.uniform(*camera.vignette),
        balance=rng.uniform(*camera.balance),
        noise=rng.uniform(*camera.noise),
        exposure=rng.uniform(*camera.exposure),
        contrast=rng.uniform(*camera.contrast),
        saturation=rng.uniform(*camera.saturation),
        denoise=rng.uniform(*camera.denoise),
        sharpen=rng.uniform(*camera.sharpen),
        flare=rng.uniform(*camera.flare),
        codec=rng.uniform(*camera.codec),
        format=camera.format,
        automatic=camera.automatic,
        centre=(rng.uniform(-1.0, 1.0), rng.uniform(-0.5, 1.0)),
        frame=(max(camera.frame[0], sensor), max(camera.frame[1], sensor)),
    )


def see(settings: Settings, *, whole: bool = False) -> Sight:
    """Return what a camera sees: the crop alone, or the whole frame.

    The frame is centred on the lens axis. If the crop would lie partly outside, the frame is moved just far
    enough to contain it.
    """
    fine, coarse = 2.0 / settings.sensor, 2.0 / settings.scene
    if not whole:
        return Sight(
            Raster(-1.0, -1.0, coarse, settings.scene, settings.scene),
            Raster(-1.0, -1.0, fine, settings.sensor, settings.sensor),
        )
    corner = []
    for side, axis in zip(settings.frame, reversed(settings.centre), strict=True):
        room = side / settings.sensor - 1.0
        first = min(max(axis, -room), room) - side / settings.sensor
        # The crop begins on a whole pixel that has the same mosaic colour as when the crop is made alone.
        corner.append(-1.0 - 2.0 * round((-1.0 - first) * settings.sensor / 4) * 2 / settings.sensor)
    height, width = settings.frame
    rows, columns = (int(np.ceil(side * fine / coarse)) for side in settings.frame)
    return Sight(
        Raster(corner[1], corner[0], coarse, rows, columns), Raster(corner[1], corner[0], fine, height, width)
    )
