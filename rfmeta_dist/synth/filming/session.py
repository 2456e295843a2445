"""Film a person before a camera on one occasion, with their movements, their light and the room behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from rfmeta_dist.synth.domains.identities import Identity
from rfmeta_dist.synth.filming.recording import Recording, pick
from rfmeta_dist.synth.imaging.texture import Image, Rng, tinted
from rfmeta_dist.synth.optics.framing import Face, Framing, Raster
from rfmeta_dist.synth.person.bust import Bust
from rfmeta_dist.synth.person.motion import Drift, Life, draw_life, draw_sway
from rfmeta_dist.synth.person.pose import Pose, draw_pose, project, turned
from rfmeta_dist.synth.person.torso import REACH, continue_torso
from rfmeta_dist.synth.place.rooms import paint_backdrop
from rfmeta_dist.synth.place.scene import Lamp, draw_lamp, shade

MARGIN = 0.1  # crop units that are painted around what the camera sees, so that it can move
DETAILS = (256, 448, 896)  # sides at which busts are painted; only a few, because busts are cached
BOX = (0.45, -0.42, 0.62)  # half width, top and bottom of the box that annotators draw, face units
BOX_HEIGHT = 0.15  # height of these points, towards the camera, face units


@dataclass(frozen=True)
class Room:
    """The background of a recording, painted once for all its frames.

    Attributes:
        image: linear radiance H×W×3, by MARGIN larger than the raster on each side, so that a camera may shake.
        raster: the grid of points on which the recording is computed.
    """

    image: Image
    raster: Raster

    def seen(self, shake: Drift, framing: Framing, seconds: float) -> Image:
        """Return the part of the room that a shaking camera sees at a time, H×W×3 on the raster."""
        margin = math.ceil(MARGIN / self.raster.pitch)
        right, down, roll = shake.x.at(seconds), shake.y.at(seconds), shake.roll.at(seconds)
        scale = 1.0 / framing.half / self.raster.pitch
        centre = -self.raster.left / self.raster.pitch, -self.raster.top / self.raster.pitch
        cos, sin = math.cos(roll), math.sin(roll)
        matrix = np.array(
            [
                [cos, -sin, margin + centre[0] * (1 - cos) + centre[1] * sin + right * scale],
                [sin, cos, margin + centre[1] * (1 - cos) - centre[0] * sin + down * scale],
            ]
        )
        size = self.raster.width, self.raster.height
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen: Image = cv2.warpAffine(self.image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return seen


@dataclass(frozen=True)
class Session:
    """One person who is recorded once.

    Attributes:
        identity: the person.
        life: movement of the face.
        sway: movement of the body.
        lamp: the light on the person.
        room: the background.
        detail: side in pixels at which the person's bust is painted.
    """

    identity: Identity
    life: Life
    sway: Drift
    lamp: Lamp
    room: Room
    detail: int

    def bust(self) -> Bust:
        """Return the painted person."""
        return self.identity.bust(self.detail)

    def shoot(self, seconds: float, framing: Framing, raster: Raster, background: Image) -> Image:
        """Return the radiance H×W×3 of the person before a background of the same size that is not lit yet."""
        seen = tinted(background, self.lamp.backdrop * self.lamp.colour)
        window = _window(framing, raster)
        if window is None:
            return seen
        part = raster.part(*window)
        view = project(self.bust(), self.life.at(seconds), framing, part)
        view = continue_torso(view, self.bust(), *framing.to_face(*part.grid()))
        seen[window] = shade(view, self.lamp, seen[window])
        return seen

    def face(self, seconds: float) -> Face:
        """Return where the face is at a time, in face coordinates."""
        return _face(self.bust(), self.life.at(seconds))


def open_session(
    recording: Recording, identity: Identity, framing: Framing, raster: Raster, rng: Rng
) -> Session:
    """Set up a session.

    Args:
        recording: the recording that the session is part of; it decides the kind of place.
        identity: the person.
        framing, raster: what the camera sees at first.
        rng: random generator of this session.
    """
    place = recording.video.shared("place")
    venue = pick(recording.card.sessions, place)
    light, kind = pick(venue.lights, place), pick(venue.backdrops, place)
    life, lamp, sway = draw_life(draw_pose(rng), rng), draw_lamp(light, rng), draw_sway(rng)
    margin = math.ceil(MARGIN / raster.pitch)
    wide = raster.part(slice(-margin, raster.height + margin), slice(-margin, raster.width + margin))
    room = Room(paint_backdrop(kind, framing, wide, rng), raster)
    # The size of the bust follows from the samples of the crop, so that all sessions of a person share a bust.
    wanted = 2.3 * recording.settings.scene * 0.77 / recording.framing.half
    detail = next((d for d in DETAILS if d >= wanted * 0.9), DETAILS[-1])
    return Session(identity, life, sway, lamp, room, detail)


def _face(bust: Bust, pose: Pose) -> Face:
    half, top, bottom = BOX
    left, upper = turned(pose, -half, top, BOX_HEIGHT)
    right, lower = turned(pose, half, bottom, BOX_HEIGHT)
    x, y = bust.eyes
    column = round((x / 1.25 + 1) * bust.height.shape[0] / 2)
    row = round((y / 1.25 + 1) * bust.height.shape[0] / 2)
    lift = float(bust.height[row, column])
    return Face(left, upper, right, lower, (turned(pose, -x, y, lift), turned(pose, x, y, lift)))


def _window(framing: Framing, raster: Raster) -> tuple[slice, slice] | None:
    """Return the rows and columns that a person can reach; None if they are out of view."""
    left, top, right, bottom = REACH
    places = [framing.to_crop(x, y) for x in (left, right) for y in (top, bottom)]
    columns, rows = (np.array(axis) for axis in zip(*places, strict=True))
    first = max(0, math.floor((columns.min() - raster.left) / raster.pitch))
    last = min(raster.width, math.ceil((columns.max() - raster.left) / raster.pitch))
    upper = max(0, math.floor((rows.min() - raster.top) / raster.pitch))
    lower = min(raster.height, math.ceil((rows.max() - raster.top) / raster.pitch))
    return (slice(upper, lower), slice(first, last)) if first < last and upper < lower else None
