"""Time in a recording: smooth courses, blinks at human rates, and frames that depend on their time alone."""

from __future__ import annotations

import numpy as np
import pytest

from rfmeta_dist.core.seeds import generator
from rfmeta_dist.synth.person.motion import BLINK, FPS, HORIZON, draw_blinks, draw_shake, draw_wander
from tests.synth.recordings import TYPES, shots, video


@pytest.mark.parametrize("take", range(5))
def test_a_course_has_the_deviation_asked_for_and_no_jumps(take):
    course = draw_wander(generator("course", take), 0.1, band=(0.1, 0.6))
    values = np.array([course.at(t / FPS) for t in range(int(400 * FPS))])
    assert values.std() == pytest.approx(0.1, rel=0.1)
    assert abs(values.mean()) < 0.02
    # No faster than its fastest wave could be.
    assert np.abs(np.diff(values)).max() <= 2 * np.pi * 0.6 / FPS * 0.1 * np.sqrt(2 * 4)


def test_people_blink_about_every_four_seconds_and_open_their_eyes_again():
    rates = []
    for person in range(20):
        blinks = draw_blinks(generator("blinks", person))
        closed = np.array([blinks.at(t / 100) for t in range(int(HORIZON * 100))])
        shut = np.flatnonzero(np.diff((closed > 0).astype(int)) == 1)
        rates.append(len(shut) / HORIZON * 60)
        assert (closed > 0).mean() == pytest.approx(len(blinks.starts) * BLINK / HORIZON, rel=0.1)
        assert closed.max() == 1.0
        assert closed.min() == 0.0
    assert 10 < np.mean(rates) < 18


def test_a_camera_on_a_stand_shakes_less_than_one_in_a_hand():
    reaches = [
        np.std([draw_shake(generator("shake", take)).x.at(t / FPS) for t in range(500)]) for take in range(12)
    ]
    assert min(reaches) < 0.002
    assert max(reaches) > 0.006


@pytest.mark.parametrize("attack_type", TYPES)
def test_a_frame_depends_on_its_time_and_not_on_the_others_taken(attack_type):
    alone, among = shots(video(attack_type), [1.4]), shots(video(attack_type), [0.0, 0.7, 1.4])
    assert np.array_equal(alone[0].radiance, among[2].radiance)
    assert np.array_equal(alone[0].depth, among[2].depth)
    assert alone[0].face == among[2].face


@pytest.mark.parametrize("attack_type", ["live", "cut", "replay"])
def test_a_recording_moves_smoothly(attack_type):
    now, next_frame, later = (s.radiance for s in shots(video(attack_type), [1.0, 1.0 + 1 / FPS, 2.6]))
    step, leap = np.abs(next_frame - now).mean(), np.abs(later - now).mean()
    assert 0 < step < 0.6 * leap


def test_a_held_print_moves_as_a_whole():
    first, second = (s.face for s in shots(video("print", take=1), [0.0, 2.0]))
    assert first != second
    moves = np.subtract(first.eyes, second.eyes)
    # Both eyes go the same way, since paper has no relief and nobody in it turns their head.
    assert np.abs(moves[0] - moves[1]).max() < 0.35 * np.abs(moves).max() + 0.3
