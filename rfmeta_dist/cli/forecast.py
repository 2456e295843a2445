"""Estimate how long it takes to generate domains on this machine, by generating a small part of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rfmeta_dist.synth.filming.recording import Video


def seconds(domains: Iterable[Sequence[Video]], processes: int) -> float:
    """Estimate how long it takes to generate domains, without starting Ray and packing shards.

    One live and one attack recording of each domain's first person are rendered, and their time counts for all
    recordings of the domain. Measured, because machines differ by more than a factor of two.

    Args:
        domains: the plan of each domain, person by person, as `synth.output.generate.plan` returns it.
        processes: how many render at once, each on a CPU of its own.

    Returns:
        Seconds of wall clock.
    """
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in the processes that generate
    try:
        return sum(_seconds(videos) for videos in domains) / processes
    finally:
        cv2.setNumThreads(threads)


def _seconds(videos: Sequence[Video]) -> float:
    """Estimate the seconds that one CPU takes to render a domain."""
    from rfmeta_dist.synth.output.generate import render

    first = [video for video in videos if video.subject == videos[0].subject]
    some = [first[0], *(video for video in first if video.attack_type != first[0].attack_type)][:2]
    started = time.perf_counter()
    frames = sum(len(render(video)) for video in some)
    return (time.perf_counter() - started) / frames * sum(video.frames for video in videos)
