"""Place a carrier (paper or screen) before the camera: its position, tilt and bend, and the light on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfmeta_dist.synth.imaging.texture import Image, Rng, length, sample, step, thrice
from rfmeta_dist.synth.optics.framing import Framing, Raster
from rfmeta_dist.synth.person.motion import Wander, draw_wander
from rfmeta_dist.synth.place.scene import Lamp

FAR = 9.0  # face units; an edge at this distance is in no frame
BORDERLESS = 0.5  # share of recordings in which the carrier is wider than the frame
ARC = np.linspace(-4.0, 4.0, 257)  # places across a bend at which its arc length is tabulated


@dataclass(frozen=True)
class Bend:
    """How a sheet departs from a plane.

    Attributes:
        curvature: curvature of a bend about one axis, per face unit; above 0 the middle comes forward.
        axis: direction across the axis, in radians.
        waves: (height, cycles along u and v per face unit in radians, phase) of further unevenness.
    """

    curvature: float = 0.0
    axis: float = 0.0
    waves: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def flat(self) -> bool:
        """Return True if there is no bend at all."""
        return not self.curvature and not self.waves

    def relief(self, u: Image, v: Image) -> tuple[Image, Image, Image]:
        """Return the height towards the camera at places on the plane, and its slopes along u and v."""
        cos, sin = math.cos(self.axis), math.sin(self.axis)
        along = u * cos + v * sin
        # The sheet becomes flatter far out, where no hand bends it.
        spread = 1.0 + 0.25 * along * along
        slope = -self.curvature * along / (spread * spread)
        height, right, down = self.curvature * 2.0 * (1.0 / spread - 1.0), slope * cos, slope * sin
        for tall, x, y, phase in self.waves:
            angle = x * u + y * v + phase
            wave = tall * np.cos(angle)
            height = height + tall * np.sin(angle)
            right, down = right + x * wave, down + y * wave
        return height, right, down

    def arc(self) -> NDArray[np.floating]:
        """Return the length along the sheet up to each place of ARC across the axis."""
        slope = self.curvature * ARC / (1.0 + 0.25 * ARC**2) ** 2
        speed = np.sqrt(1.0 + slope**2)
        length = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * np.diff(ARC))])
        centred: NDArray[np.floating] = length - length[len(ARC) // 2]
        return centred


@dataclass(frozen=True)
class Carrier:
    """One recording's carrier, in the face coordinates of the picture on it.

    Attributes:
        yaw, pitch: mean rotation in radians.
        turning, nodding: how the hand that holds it turns it over time.
        distance: distance of the camera in face units.
        bend: bend of the sheet.
        edges: the picture's left, right, top and bottom; far outside if its borders are not in view.
        margin: width of white paper or bezel outside the picture.
        corner: radius of the rounded corners of its outline.
    """

    yaw: float
    pitch: float
    turning: Wander
    nodding: Wander
    distance: float
    bend: Bend
    edges: tuple[float, float, float, float]
    margin: float
    corner: float

    def axes(self, seconds: float) -> NDArray[np.floating]:
        """Return unit vectors along u and v and towards the camera, as rows (x right, y down, z to camera)."""
        yaw, pitch = self.yaw + self.turning.at(seconds), self.pitch + self.nodding.at(seconds)
        sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        return np.array([[cy, 0.0, -sy], [sy * sp, cp, cy * sp], [sy * cp, -sp, cy * cp]])

    def locate(self, u: float, v: float, seconds: float) -> tuple[float, float]:
        """Return where a point of the picture appears, in face coordinates of the untilted carrier."""
        cos, sin = math.cos(self.bend.axis), math.sin(self.bend.axis)
        arc = u * cos + v * sin
        along = float(np.interp(arc, self.bend.arc(), ARC))
        u, v = u + (along - arc) * cos, v + (along - arc) * sin
        height = float(self.bend.relief(np.array(u), np.array(v))[0])
        point = np.array([u, v, height]) @ self.axes(seconds)
        away = self.distance / (self.distance - point[2])
        return float(point[0] * away), float(point[1] * away)


@dataclass(frozen=True)
class Surface:
    """A carrier (paper or screen) as the camera sees it, on a grid of H×W points.

    Attributes:
        u, v: face coordinates on the picture (right, down).
        outside: distance outside the picture's edges, negative within, in face units.
        beyond: the same for the carrier's outline.
        normal: unit normals towards the camera, H×W×3, or 1×1×3 if the carrier is flat.
        eye: direction of the camera from each point, H×W×3, about unit length.
        pixel: face units from one point of the grid to the next.
    """

    u: Image
    v: Image
    outside: Image
    beyond: Image
    normal: Image
    eye: Image
    pixel: float

    def part(self, window: tuple[slice, slice]) -> Surface:
        """Return some rows and columns of the surface."""
        normal = self.normal if self.normal.shape[0] == 1 else self.normal[window]
        u, v, outside, beyond, eye = (a[window] for a in (self.u, self.v, self.outside, self.beyond, self.eye))
        return Surface(u, v, outside, beyond, normal, eye, self.pixel)


def draw_carrier(
    framing: Framing,
    moving: float,
    away: float,
    rng: Rng,
    *,
    margin: float,
    corner: float = 0.0,
    bend: Bend | None = None,
) -> Carrier:
    """Choose at random how a carrier is held up, and which of its edges are in view.

    Args:
        framing: framing of the crop.
        moving: 0 for a carrier on a support to 1 for one in an unsteady hand.
        away: distance of the camera, in units of the face on the carrier. That face appears as large as a live
            one.
        rng: random generator.
        margin: width of white paper or bezel outside the picture, in face units.
        corner: radius of the rounded corners, in face units.
        bend: bend of the sheet; None for a flat one.
    """
    edges = [-FAR, FAR, -FAR, FAR]
    if rng.random() >= BORDERLESS:
        for side in rng.permutation(4)[: int(rng.integers(1, 5))]:
            centre = framing.x if side < 2 else framing.y
            reach = rng.uniform(0.78, 1.55)
            edges[int(side)] = centre + (reach if side % 2 else -reach)
    yaw, pitch = np.clip(rng.normal(0.0, 0.13, 2), -0.35, 0.35).tolist()
    return Carrier(
        yaw=yaw,
        pitch=pitch,
        turning=draw_wander(rng, 0.035 * moving),
        nodding=draw_wander(rng, 0.035 * moving),
        distance=away,
        bend=bend or Bend(),
        edges=(edges[0], edges[1], edges[2], edges[3]),
        margin=margin,
        corner=corner,
    )


def look_at(carrier: Carrier, framing: Framing, raster: Raster, seconds: float) -> Surface:
    """Return a carrier as the camera sees it at a time, on the points of `raster`."""
    x, y = framing.to_face(*raster.grid())
    right, down, front = carrier.axes(seconds).astype(np.float32)
    # The ray of a sample goes from the camera at (0, 0, distance) through (x, y, 0).
    towards = x * front[0] + y * front[1] - carrier.distance * front[2]
    height: Image = np.zeros((1, 1), np.float32)
    slopes: list[Image] | None = None
    for _ in range(1 if carrier.bend.flat else 3):
        reach = (height - carrier.distance * front[2]) / towards
        depth = carrier.distance * (1.0 - reach)
        u = reach * (x * right[0] + y * right[1]) + depth * right[2]
        v = reach * (x * down[0] + y * down[1]) + depth * down[2]
        if not carrier.bend.flat:
            height, *slopes = carrier.bend.relief(u, v)
    normal = front[None, None]
    if slopes is not None:
        normal = front - slopes[0][..., None] * right - slopes[1][..., None] * down
        normal = normal / thrice(length(normal))
        u, v = _unroll(carrier.bend, u, v)
    eye = np.dstack([-x, -y, np.full_like(x, carrier.distance)]) / np.float32(carrier.distance)
    outside, beyond = _outside(carrier, u, v)
    return Surface(u, v, outside, beyond, normal.astype(np.float32), eye, framing.half * raster.pitch)


def _unroll(bend: Bend, u: Image, v: Image) -> tuple[Image, Image]:
    """Convert places on the plane to places on the sheet that bends away from it."""
    cos, sin = np.float32(math.cos(bend.axis)), np.float32(math.sin(bend.axis))
    along = u * cos + v * sin
    extra = (np.interp(along, ARC, bend.arc()) - along).astype(np.float32)
    return u + extra * cos, v + extra * sin


def _outside(carrier: Carrier, u: Image, v: Image) -> tuple[Image, Image]:
    left, right, top, bottom = carrier.edges
    across = np.abs(u - np.float32((left + right) / 2)) - np.float32((right - left) / 2)
    down = np.abs(v - np.float32((top + bottom) / 2)) - np.float32((bottom - top) / 2)
    outside: Image = np.maximum(across, down)
    if not carrier.corner:
        return outside, outside - np.float32(carrier.margin)
    grown = np.float32(carrier.corner - carrier.margin)
    across, down = across + grown, down + grown
    corner = np.hypot(np.clip(across, 0, None), np.clip(down, 0, None))
    return outside, corner + np.minimum(np.maximum(across, down), 0.0) - np.float32(carrier.corner)


def inside(distance: Image, surface: Surface) -> Image:
    """Return a mask of the inside of an outline, H×W: 1 within, 0 without, with an edge one point wide.

    Args:
        distance: distance outside the outline in face units, negative within, H×W.
        surface: the carrier, which gives the distance of the points.
    """
    return step(surface.pixel, -surface.pixel, distance)


def picture_on(surface: Surface, picture: Image, area: Raster) -> Image:
    """Return a picture at the points of a carrier; `area` says where its pixels lie, in face coordinates."""
    column = (surface.u - np.float32(area.left)) / np.float32(area.pitch) - np.float32(0.5)
    row = (surface.v - np.float32(area.top)) / np.float32(area.pitch) - np.float32(0.5)
    return sample(picture, column, row)


def light_on(surface: Surface, lamp: Lamp) -> Image:
    """Return the irradiance of a sheet around 1, H×W or 1×1. It has the relief of its bend and of no face."""
    facing = np.clip(surface.normal @ lamp.direction, 0.02, None)
    sky = 0.75 - 0.25 * surface.normal[..., 1]
    lit: Image = lamp.ambient * sky + (1.0 - lamp.ambient) * 1.25 * facing
    return lit


def sheen(surface: Surface, lamp: Lamp, roughness: float) -> Image:
    """Return how brightly a glossy surface mirrors the lamp, 0 to 1, H×W; a rougher one mirrors it wider."""
    half = surface.eye + lamp.direction
    if surface.normal.shape[0] == 1:
        facing: Image = half @ surface.normal[0, 0]
    else:
        facing = np.einsum("ijk,ijk->ij", surface.normal, half)
    aligned = facing / length(half)
    mirrored: Image = np.exp((aligned - 1.0) / np.float32(roughness))
    return mirrored
