"""Make the attacker's own recording of the victim, which an attack prints or plays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.domains.domain import SOURCE
from rfmeta_dist.synth.filming.recording import Recording
from rfmeta_dist.synth.filming.session import Session, open_session
from rfmeta_dist.synth.imaging.texture import Image, tinted
from rfmeta_dist.synth.instruments.plane import Carrier, look_at
from rfmeta_dist.synth.optics.camera import Settings, Sight, set_up
from rfmeta_dist.synth.optics.framing import FACE_WIDTH, Face, Framing, Raster, mapped
from rfmeta_dist.synth.optics.sensor import capture, record
from rfmeta_dist.synth.person.motion import FPS, Drift, draw_shake

FRONTAL = Framing(0.0, 0.0, 1.0, 0.0)  # with this framing, crop coordinates equal face coordinates
FINEST = 1.7  # most pixels of the source for each sample of the scene; more would not be visible
SPARE = 1.22  # by what factor the source is larger than the frame, because carriers tilt and move


@dataclass(frozen=True)
class Stolen:
    """An earlier recording of the victim, made by the attacker.

    Attributes:
        recording: the attack that shows it.
        session: session of the victim.
        area: where its pixels are, in face coordinates.
        settings: settings of the attacker's camera.
        shake: movement of the attacker's camera.
        start, rate: second at which a replay begins, and how fast it runs (1 is real time).
    """

    recording: Recording
    session: Session
    area: Raster
    settings: Settings
    shake: Drift
    start: float
    rate: float

    def playing(self, seconds: float) -> float:
        """Return the time of the frame that a replay shows."""
        return round((self.start + self.rate * seconds) * FPS) / FPS

    def picture(self, seconds: float) -> Image:
        """Return the frame taken at a time as display values [0, 1], P×Q×3."""
        background = self.session.room.seen(self.shake, FRONTAL, seconds)
        radiance = self.session.shoot(seconds, self._framing(seconds), self.area, background)
        # The attacker sets the white balance by hand. Otherwise the casts of two lights and the errors of two
        # automatic balances would add up in attacks alone.
        radiance = tinted(radiance, 1.0 / self.session.lamp.colour)
        noise = self.recording.video.random("source", round(seconds * FPS))
        picture = record(capture(radiance, Sight(self.area, self.area), self.settings, noise), self.settings)
        return picture.astype(np.float32) / np.float32(255)

    def face(self, seconds: float) -> Face:
        """Return where the face of that frame is on the carrier, in face coordinates."""
        return mapped(self.session.face(seconds), self._framing(seconds).to_crop)

    def _framing(self, seconds: float) -> Framing:
        return self.shake.moved(self.session.sway.moved(FRONTAL, seconds), seconds)


def steal(recording: Recording, carrier: Carrier, source: tuple[float, float]) -> Stolen:
    """Make the attacker's recording, wide enough for what the camera will see of the carrier.

    Args:
        recording: the attack.
        carrier: the paper or screen that shows it.
        source: range of the number of pixels across the face.
    """
    video = recording.video
    rng = video.random("earlier")
    seen = recording.settings.scene / (2.0 * recording.framing.half)
    density = min(rng.uniform(*source) / FACE_WIDTH, FINEST * seen)
    area = _area(recording, carrier, density)
    settings = set_up(SOURCE, FRONTAL, video.size, rng)
    session = open_session(recording, video.identity, FRONTAL, area, rng)
    return Stolen(
        recording,
        session,
        area,
        settings,
        draw_shake(rng),
        start=float(rng.uniform(0.0, 20.0)),
        rate=float(rng.uniform(0.8, 1.2)),
    )


def _area(recording: Recording, carrier: Carrier, density: float) -> Raster:
    """Return the part of the carrier's picture that can come into view, of even numbers of pixels."""
    raster, framing = recording.raster, recording.framing
    across, down = raster.width * raster.pitch / 24, raster.height * raster.pitch / 24
    coarse = Raster(raster.left, raster.top, max(across, down), 24, 24)
    near = Framing(framing.x, framing.y, framing.half * SPARE, framing.roll)
    surface = look_at(carrier, near, coarse, 0.0)
    left, right, top, bottom = carrier.edges
    first = max(float(surface.u.min()), left - 0.1), max(float(surface.v.min()), top - 0.1)
    last = min(float(surface.u.max()), right + 0.1), min(float(surface.v.max()), bottom + 0.1)
    width, height = (2 * max(1, round((b - a) * density / 2)) for a, b in zip(first, last, strict=True))
    pitch = 2.0 / round(2.0 * density)
    return Raster(first[0], first[1], pitch, height, width)
