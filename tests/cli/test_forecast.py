"""The estimate of how long generating takes."""

from __future__ import annotations

import time

import cv2

from rfmeta_dist.cli import forecast
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan, render


def test_it_is_near_the_time_that_generating_takes_and_leaves_no_trace():
    videos, threads = plan("I", SCALES["tiny"], 0, None), cv2.getNumThreads()
    before = [sample.image for sample in render(videos[0])]
    estimate = forecast.seconds([videos], 1)
    assert cv2.getNumThreads() == threads
    started = time.perf_counter()
    for video in videos:
        render(video)
    took = time.perf_counter() - started
    assert took / 5 < estimate < 5 * took
    assert [sample.image for sample in render(videos[0])] == before
