"""Film attacks: prints that are held flat, bent or have the eyes cut out, and replays on a screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rfmeta_dist.synth.filming.recording import Recording, Shot, pick
from rfmeta_dist.synth.filming.session import Session, open_session
from rfmeta_dist.synth.filming.stolen import Stolen, steal
from rfmeta_dist.synth.imaging.texture import Image, Rng, mix, step, tinted
from rfmeta_dist.synth.instruments.cut import Holes, cut_out, depth_in, lay_sheet, light_behind
from rfmeta_dist.synth.instruments.hands import Hand, covered_by, draw_hand, lay_limbs
from rfmeta_dist.synth.instruments.plane import FAR, Bend, Carrier, Surface, draw_carrier, inside, look_at
from rfmeta_dist.synth.instruments.prints import print_out, show_print
from rfmeta_dist.synth.instruments.screens import set_up_screen, show_screen
from rfmeta_dist.synth.optics.framing import Framing, mapped
from rfmeta_dist.synth.optics.pattern import Pattern
from rfmeta_dist.synth.person.motion import Drift, draw_sway
from rfmeta_dist.synth.place.scene import DEPTH_SIZE

Lit = tuple[Image, Pattern]  # radiance H×W×3 of a carrier, and the pattern of its dots or pixels
HAND_HELD = 0.6  # share of the recordings in which the carrier is held; in the others it is on a support
ON_A_SUPPORT = 0.03  # movement of a carrier on a support, as a share of that in a hand


@dataclass(frozen=True)
class Held:
    """A carrier (paper or screen) in use.

    Attributes:
        sway: movement of the carrier.
        hand: what holds the carrier.
        here: session of the attacker at the time of the attack.
        aligned: size and place of the attacker's head relative to the carrier's picture, in face units; None
            if the attacker is not behind the carrier.
    """

    carrier: Carrier
    sway: Drift
    hand: Hand
    here: Session
    aligned: tuple[float, float, float] | None

    def behind(self, recording: Recording, seconds: float, part: tuple[slice, slice] | None = None) -> Image:
        """Return the radiance of what is behind the carrier, H×W×3, or of a part of the raster."""
        background = self.here.room.seen(recording.shake, recording.framing, seconds)
        raster = recording.raster
        if part is not None:
            background, raster = np.ascontiguousarray(background[part]), raster.part(*part)
        if self.aligned is None:
            lamp = self.here.lamp
            return tinted(background, lamp.backdrop * lamp.colour)
        # The attacker's head moves half as far as the hands.
        half_way = recording.shake.moved(self.sway.moved(recording.framing, seconds, 0.5), seconds)
        size, x, y = self.aligned
        framing = Framing(half_way.x / size - x, half_way.y / size - y, half_way.half / size, half_way.roll)
        framing = self.here.sway.moved(framing, seconds, 0.4)
        return self.here.shoot(seconds, framing, raster, background)


def film_print(recording: Recording, times: Sequence[float]) -> Iterator[Shot]:
    """Film a photo on paper that is held about flat."""
    return _film_sheet(recording, times, warped=False, holes=False)


def film_warped(recording: Recording, times: Sequence[float]) -> Iterator[Shot]:
    """Film a photo on paper that is bent by hand to imitate the curvature of a face."""
    return _film_sheet(recording, times, warped=True, holes=False)


def film_cut(recording: Recording, times: Sequence[float]) -> Iterator[Shot]:
    """Film a photo whose eyes are cut out; the attacker looks and blinks through the holes."""
    return _film_sheet(recording, times, warped=False, holes=True)


def film_replay(recording: Recording, times: Sequence[float]) -> Iterator[Shot]:
    """Film a video on a screen."""
    rng = recording.video.random("attack")
    screen = pick(recording.card.screens, rng)
    margin = float(rng.uniform(0.02, 0.16))
    held = _hold(recording, rng, margin, margin + float(rng.uniform(0.0, 0.04)), Bend())
    display = set_up_screen(screen, recording.framing, recording.raster, recording.video.random("glass"))
    stolen = steal(recording, held.carrier, screen.source)
    for seconds in times:
        framing = recording.framing_at(seconds, held.sway)
        surface = look_at(held.carrier, framing, recording.raster, seconds)
        frame = stolen.picture(stolen.playing(seconds))
        lit = show_screen(display, frame, stolen.area, surface, held.here.lamp, recording.raster, seconds)
        yield _finish(recording, held, stolen, surface, lit, seconds, stolen.playing(seconds))


def _film_sheet(recording: Recording, times: Sequence[float], *, warped: bool, holes: bool) -> Iterator[Shot]:
    rng = recording.video.random("attack")
    paper = pick(recording.card.papers, rng)
    bend = _warp(rng) if warped else _nearly_flat(paper.bend, rng)
    held = _hold(recording, rng, float(rng.uniform(0.0, 0.12)), 0.0, bend)
    stolen = steal(recording, held.carrier, paper.source)
    taken = stolen.playing(0.0)
    pixel = recording.framing.half * recording.raster.pitch
    sheet = print_out(stolen.picture(taken), stolen.area, paper, pixel, recording.video.random("sheet"))
    cut = cut_out(np.array(stolen.face(taken).eyes), rng) if holes else None
    if cut is not None:
        held = _put_behind(held, cut)
    for seconds in times:
        surface = look_at(held.carrier, recording.framing_at(seconds, held.sway), recording.raster, seconds)
        lit = show_print(sheet, surface, held.here.lamp)
        if cut is not None:
            lit = _look_through(lit, cut, recording, held, surface, seconds)
        yield _finish(recording, held, stolen, surface, lit, seconds, taken)


def _warp(rng: Rng) -> Bend:
    """Choose a strong bend at random. Its axis is about upright or level; smaller waves cross the sheet."""
    upright = rng.random() < 0.65
    axis = rng.normal(0.0, 0.25) + (0.0 if upright else math.pi / 2)
    sign = 1.0 if rng.random() < 0.8 else -0.7
    waves = tuple(
        (float(rng.uniform(0.004, 0.022)), *rng.normal(0.0, 3.0, 2).tolist(), float(rng.uniform(0, 6.28)))
        for _ in range(3)
    )
    return Bend(float(sign * rng.uniform(0.5, 1.0)), float(axis), waves)


def _nearly_flat(most: float, rng: Rng) -> Bend:
    """Choose at random the slight bend of a sheet between two hands or on a stand."""
    return Bend(float(rng.uniform(-most, most)), float(rng.uniform(0, math.pi)))


def _hold(recording: Recording, rng: Rng, margin: float, corner: float, bend: Bend) -> Held:
    """Set up the place of the attack, and put the carrier into a hand or on a support."""
    video = recording.video
    here = open_session(recording, video.attacker, recording.framing, recording.raster, video.random("here"))
    held = rng.random() < HAND_HELD
    moving = 1.0 if held else ON_A_SUPPORT
    carrier = draw_carrier(
        recording.framing, moving, recording.settings.away, rng, margin=margin, corner=corner, bend=bend
    )
    hand = draw_hand(carrier, held, rng)
    aligned = None
    if held and rng.random() < 0.5:
        aligned = (float(rng.uniform(0.8, 1.25)), float(rng.uniform(-0.3, 0.3)), float(rng.uniform(-0.5, 0.1)))
    if min(abs(edge) for edge in carrier.edges) >= FAR:
        aligned = None  # the carrier fills the frame, so the attacker would not be visible
    return Held(carrier, draw_sway(rng, moving), hand, here, aligned)


def _put_behind(held: Held, cut: Holes) -> Held:
    """Return the same with the attacker's eyes behind the holes."""
    first, second = (np.array(held.carrier.locate(u, v, 0.0)) for u, v in cut.centres.tolist())
    left, right = (np.array(eye) for eye in held.here.face(0.0).eyes)
    size = float((second - first)[0] / max((right - left)[0], 0.1))
    offset = (first + second) / 2 / size - (left + right) / 2
    return Held(held.carrier, held.sway, held.hand, held.here, (size, float(offset[0]), float(offset[1])))


def _look_through(
    lit: Lit, cut: Holes, recording: Recording, held: Held, surface: Surface, seconds: float
) -> Lit:
    """Put the attacker's eyes into the holes of the sheet. Only the surroundings of the holes are rendered."""
    radiance, pattern = lit
    depth = depth_in(cut, surface)
    rows, columns = (np.flatnonzero((depth > -0.03).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return lit
    part = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    near = surface.part(part)
    light = light_behind(depth[part], cut, near, held.here.lamp)
    seen = held.behind(recording, seconds, part) * light[..., None]
    radiance[part] = lay_sheet(radiance[part], seen, depth[part], near, held.here.lamp)
    return radiance, pattern.covered(step(-surface.pixel, surface.pixel, depth))


def _finish(
    recording: Recording,
    held: Held,
    stolen: Stolen,
    surface: Surface,
    lit: Lit,
    seconds: float,
    shown: float,
) -> Shot:
    """Put the carrier before its background and into the hand that holds it. Its depth label is zero."""
    radiance, pattern = lit
    if min(abs(edge) for edge in held.carrier.edges) < FAR:
        hand, lamp = held.hand, held.here.lamp
        behind = held.behind(recording, seconds)
        behind = lay_limbs(behind, hand.behind, hand.mottle, surface, lamp, shadows=False)
        radiance = mix(behind, radiance, inside(surface.beyond, surface))
        radiance = lay_limbs(radiance, hand.over, hand.mottle, surface, lamp, shadows=True)
        pattern = pattern.covered(covered_by(hand.over, surface))
    framing = recording.framing_at(seconds, held.sway)

    def place(u: float, v: float) -> tuple[float, float]:
        return framing.to_crop(*held.carrier.locate(u, v, seconds))

    face = mapped(mapped(stolen.face(shown), place), recording.to_frame)
    return Shot(radiance.astype(np.float32), np.zeros((DEPTH_SIZE, DEPTH_SIZE), np.uint8), face, pattern)
