"""Make up domains at random: cameras, instruments, light and rooms from the ranges that real ones have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, get_args

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.domains.domain import Attack, Backdrop, Domain, Nuisance, NuisanceKind, Venue
from rfmeta_dist.synth.imaging.texture import Rng
from rfmeta_dist.synth.instruments.prints import Paper
from rfmeta_dist.synth.instruments.screens import Screen
from rfmeta_dist.synth.optics.camera import Camera
from rfmeta_dist.synth.optics.framing import FACE_UNIT_MM, FACE_WIDTH
from rfmeta_dist.synth.place.scene import Light

T = TypeVar("T")
MOST = 99  # largest number of domains that can be drawn
# Height and width of the frame in pixels, and the range of the sensor's width in millimetres, of webcams
# (landscape frames up to 1280×720), front cameras of phones (portrait frames) and cameras with larger sensors.
FRAMES = (
    (240, 320, (2.4, 3.6)),
    (480, 640, (2.4, 3.6)),
    (720, 1280, (3.2, 4.8)),
    (1280, 720, (2.0, 3.6)),
    (1920, 1080, (2.0, 3.6)),
    (1080, 1920, (6.2, 13.2)),
)
WIDEST, LONGEST = 22.0, 50.0  # focal lengths of all drawn cameras, as 35 mm equivalents
ON_FRAME = (0.22, 0.48)  # width of the face as a share of the frame's shorter side
# Lines per inch: of laser printers; of the scattered dots of ink-jets; of drafts and newspapers.
LINES, DOTS, COARSE = (133.0, 200.0), (150.0, 360.0), (40.0, 85.0)
# Pixels per inch, and the width of the shown face in millimetres: phones, tablets, laptops, monitors.
PANELS = (
    (300.0, 460.0, (32.0, 55.0)),
    (200.0, 330.0, (60.0, 120.0)),
    (100.0, 230.0, (50.0, 150.0)),
    (72.0, 110.0, (60.0, 180.0)),
)


def drawn(count: int, seed: int) -> Mapping[str, Domain]:
    """Make up domains at random. The first ones are the same for every count.

    Args:
        count: how many domains, 1 to `MOST`.
        seed: seed of the draw.

    Returns:
        Cards by name: D01, D02, …

    Raises:
        ConfigError: the count is out of range.
    """
    if not 1 <= count <= MOST:
        raise ConfigError(f"drawn={count} is out of range", f"choose a number of domains from 1 to {MOST}")
    cards = (_card(f"D{number:02d}", generator("card", seed, number)) for number in range(1, count + 1))
    return {card.name: card for card in cards}


def _card(name: str, rng: Rng) -> Domain:
    cameras = tuple(_camera(f"camera-{k + 1}", rng) for k in range(int(rng.integers(1, 4))))
    sessions = tuple(_venue(str(k + 1), rng) for k in range(int(rng.integers(1, 4))))
    printed: Attack = _one(("print", "print", "warped", "cut"), rng)
    cues = rng.permutation(get_args(NuisanceKind))[: int(rng.integers(2, 5))].tolist()
    low = int(rng.integers(70, 90))
    return Domain(
        name=name,
        title=f"drawn at random: {', '.join(sorted({_kind(camera) for camera in cameras}))}",
        layout="folder",
        subjects={"train": 16, "validation": 6, "test": 6},
        cameras=cameras,
        sessions=sessions,
        attacks=(printed, "replay"),
        quality=(low, low + int(rng.integers(3, 8))),
        papers=tuple(_paper(f"paper-{k + 1}", rng) for k in range(2)),
        screens=tuple(_screen(f"screen-{k + 1}", rng) for k in range(2)),
        nuisances=tuple(Nuisance(kind, _one((1, -1), rng)) for kind in cues),
    )


def _kind(camera: Camera) -> str:
    height, width = camera.frame
    return f"{width}×{height}"


def _camera(name: str, rng: Rng) -> Camera:
    height, width, sizes = _one(FRAMES, rng)
    sensor = rng.uniform(*sizes)
    # The longer side of a frame lies along the sensor's width, also in a phone that is held upright.
    pitch = 1e3 * sensor / max(height, width)
    focal = _between(WIDEST, LONGEST, rng) / 36.0 * sensor
    pixels = rng.uniform(*ON_FRAME) * min(height, width)
    near = FACE_UNIT_MM * FACE_WIDTH * focal / (pitch * 1e-3 * pixels)
    soft, grain = rng.uniform(0.25, 0.6), _between(0.002, 0.015, rng)
    dark, tint, tone = rng.uniform(0.0, 0.25), rng.uniform(-0.3, 0.3), rng.uniform(0.85, 1.15)
    colour, smooth, sharp, low = rng.uniform(0.65, 1.1), *rng.uniform(0.0, (2.0, 0.5)), rng.uniform(45, 85)
    return Camera(
        name,
        focal=round(focal, 2),
        pitch=round(pitch, 2),
        distance=_range(near, 1.25 * near),
        defocus=_range(soft, soft + 0.3),
        vignette=_range(dark, dark + 0.2),
        balance=_range(tint - 0.2, tint + 0.2),
        noise=_range(grain, 2.5 * grain),
        contrast=_range(tone, tone + 0.3),
        saturation=_range(colour, colour + 0.3),
        denoise=_range(smooth, smooth + 1.0),
        sharpen=_range(sharp, sharp + 0.4),
        codec=_range(low, low + 12.0),
        format=_one(("jpeg", "h264"), rng),
        frame=(height, width),
    )


def _paper(name: str, rng: Rng) -> Paper:
    scattered = bool(rng.random() < 0.4)
    lines = DOTS if scattered else (COARSE if rng.random() < 0.35 else LINES)
    size, density = _between(30.0, 150.0, rng), _between(250.0, 600.0, rng)
    white = rng.uniform(0.78, 0.92) + rng.uniform(-0.03, 0.03, 3)
    return Paper(
        white=(round(float(white[0]), 3), round(float(white[1]), 3), round(float(white[2]), 3)),
        face=_range(size, 1.3 * size),
        lpi=lines,
        angles=_one(((15.0, 75.0, 0.0, 45.0), (22.0, 52.0, 8.0, 38.0), (0.0, 60.0, 30.0, 45.0)), rng),
        ink=round(rng.uniform(0.9, 1.0), 3),
        gain=round(rng.uniform(0.0, 0.18), 3),
        gloss=round(rng.uniform(0.05, 0.6), 3),
        grain=round(rng.uniform(0.003, 0.02), 4),
        banding=round(rng.uniform(0.0, 0.03), 4),
        bend=round(rng.uniform(0.04, 0.14), 3),
        source=_range(density, 1.4 * density),
        scattered=scattered,
        name=name,
    )


def _screen(name: str, rng: Rng) -> Screen:
    low, high, (least, most) = _one(PANELS, rng)
    ppi, size = rng.uniform(low, high), rng.uniform(least, most / 1.25)
    density, shine = _between(150.0, 450.0, rng), rng.uniform(0.0, 0.03)
    oled = low >= PANELS[0][0] and bool(rng.random() < 0.5)
    kind: Literal["stripe", "diamond"] = "diamond" if oled else "stripe"
    return Screen(
        face=_range(size, 1.25 * size),
        ppi=round(ppi, 1),
        gamma=round(rng.uniform(2.0, 2.4), 2),
        white=round(rng.uniform(-0.15, 0.12), 3),
        black=0.0005 if oled else round(rng.uniform(0.002, 0.014), 4),
        matrix=round(rng.uniform(0.7, 0.9), 3),
        reflection=_range(shine, shine + 0.04),
        bezel=round(rng.uniform(0.01, 0.4), 3),
        flicker=_range(0.0, rng.uniform(0.02, 0.15)),
        source=_range(density, 1.4 * density),
        subpixels=kind,
        name=name,
    )


def _venue(name: str, rng: Rng) -> Venue:
    lights = tuple(_light(rng) for _ in range(int(rng.integers(1, 3))))
    rooms = rng.permutation(get_args(Backdrop))[: int(rng.integers(1, 4))].tolist()
    return Venue(name, lights, tuple(rooms))


def _light(rng: Rng) -> Light:
    side, height = rng.uniform(0.0, 50.0), rng.uniform(0.0, 40.0)
    fill, warmth, room = rng.uniform(0.2, 0.6), rng.uniform(-0.35, 0.35), rng.uniform(0.4, 1.1)
    return Light(
        azimuth=_range(side, side + 35.0),
        elevation=_range(height, height + 30.0),
        ambient=_range(fill, fill + 0.25),
        warmth=_range(warmth, warmth + 0.25),
        backdrop=_range(room, room + 0.6),
    )


def _range(low: float, high: float) -> tuple[float, float]:
    return round(float(low), 4), round(float(high), 4)


def _between(low: float, high: float, rng: Rng) -> float:
    """Choose a random number whose logarithm is uniform: as likely between 1 and 2 as between 2 and 4."""
    return float(low * (high / low) ** rng.random())


def _one(choices: Sequence[T], rng: Rng) -> T:
    return choices[int(rng.integers(len(choices)))]
