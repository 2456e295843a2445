"""Recordings for the tests of filming: any type of attack, small and quick to render."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.filming.film import film
from rfmeta_dist.synth.filming.recording import Shot, Video
from rfmeta_dist.synth.optics.camera import capture, record, see
from rfmeta_dist.synth.output.generate import plan, prepare

TYPES = ("live", "print", "warped", "cut", "replay")
Frame = tuple[int, int] | None


def video(attack_type: str, take: int = 0) -> Video:
    """The first subject of C, attacked in any way; another take is another recording of them."""
    first = plan("C", SCALES["tiny"], 0, None, rho=0.0)[0]
    return replace(first, attack_type=attack_type, name=f"{attack_type}-{take}")


def shots(recording: Video, times: list[float], frame: Frame = None) -> list[Shot]:
    taken, framing = prepare(recording)
    return list(film(recording, taken.card, taken.settings, framing, times, frame))


def pictures(recording: Video, times: list[float], frame: Frame = None) -> list[np.ndarray]:
    settings = prepare(recording)[0].settings
    raster = see(settings, frame)
    taken = shots(recording, times, frame)
    return [record(capture(s.radiance, raster, settings, recording.random("noise")), settings) for s in taken]
