"""Recordings for the tests of filming: any type of attack, small and quick to render."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.filming.film import film
from rfmeta_dist.synth.filming.recording import Shot, Video
from rfmeta_dist.synth.optics.camera import Settings, see
from rfmeta_dist.synth.optics.sensor import capture, record
from rfmeta_dist.synth.output.clip import coarser
from rfmeta_dist.synth.output.generate import plan, prepare

TYPES = ("live", "print", "warped", "cut", "replay")
Frame = tuple[int, int] | None


def video(attack_type: str, take: int = 0) -> Video:
    """The first subject of C, attacked in any way; another take is another recording of them."""
    first = plan("C", SCALES["tiny"], 0, None, rho=0.0)[0]
    return replace(first, attack_type=attack_type, name=f"{attack_type}-{take}")


def settings_of(recording: Video, frame: Frame) -> Settings:
    """Of a camera with few pixels and a frame of this height and width."""
    settings = coarser(prepare(recording)[0].settings, 64)
    return settings if frame is None else replace(settings, frame=frame)


def shots(recording: Video, times: list[float], frame: Frame = None) -> list[Shot]:
    taken, framing = prepare(recording)
    settings = settings_of(recording, frame)
    return list(film(recording, taken.card, settings, framing, times, whole=frame is not None))


def pictures(recording: Video, times: list[float], frame: Frame = None) -> list[np.ndarray]:
    settings = settings_of(recording, frame)
    sight = see(settings, whole=frame is not None)
    noise = [recording.random("noise", round(1000 * time)) for time in times]
    taken = zip(shots(recording, times, frame), noise, strict=True)
    return [record(capture(s.radiance, sight, settings, n, s.pattern), settings) for s, n in taken]
