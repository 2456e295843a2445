"""The generated domains: what a plan promises, what a sample holds, and that bytes repeat."""

from __future__ import annotations

import pickle  # noqa: TID251  only to show that a Video can travel to another process
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import LIVE, SPLITS, Sample
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.imaging.codec import decode_jpeg
from rfmeta_dist.synth.output.generate import generate, plan, render
from tests.synth.conftest import SMALLEST

TINY = SCALES["tiny"]


def depth_of(sample: Sample) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(sample.depth, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    ("domain", "attack_type"),
    [("O", "live"), ("O", "print"), ("O", "replay"), ("C", "warped"), ("C", "cut"), ("C", "live")],
)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(domain, attack_type):
    video = next(v for v in plan(domain, TINY, 0, None) if v.attack_type == attack_type)
    assert render(video) == render(pickle.loads(pickle.dumps(video)))
    assert render(video)[0].image != render(replace(video, seed=1))[0].image


def test_a_video_does_not_depend_on_what_was_rendered_before(samples):
    last = plan("M", SMALLEST, 0, None)[-1]
    assert render(last) == [s for s in samples["M"] if s.video == last.name]


def test_keys_are_unique_and_have_no_dots(samples):
    keys = [s.key for domain in samples.values() for s in domain]
    assert len(set(keys)) == len(keys)
    assert not any("." in key for key in keys)
    assert all(s.key.split("-") == [s.domain, s.video, f"{s.frame:03d}"] for s in samples["C"])


@pytest.mark.parametrize("identity", ["subject", "identity"])
def test_no_person_is_in_two_splits_or_two_domains(identity):
    home: dict[object, set[tuple[str, str]]] = {}
    for domain in DOMAINS:
        for video in plan(domain, SCALES["small"], 0, None):
            home.setdefault(getattr(video, identity), set()).add((video.domain, video.split))
    assert all(len(places) == 1 for places in home.values())


def test_every_split_holds_both_classes_in_the_same_amounts(samples):
    for domain in samples.values():
        for split in SPLITS:
            counts = Counter(s.attack_type for s in domain if s.split == split)
            assert set(counts) == {LIVE, *DOMAINS[domain[0].domain].attacks}
            assert len(set(counts.values())) == 1
        assert all(s.label == (s.attack_type == LIVE) for s in domain)


def test_an_attack_is_flat(samples):
    attacks = [s for s in samples["I"] if s.attack_type != LIVE]
    assert not any(depth_of(s).any() for s in attacks)


def test_a_live_face_has_its_nose_nearest_and_its_background_at_zero(samples):
    for sample in (s for domain in samples.values() for s in domain if s.label):
        depth = depth_of(sample)
        assert depth.shape == (32, 32)
        assert depth.dtype == np.uint8
        assert depth.max() == 255
        assert depth.min() == 0
        face = depth[5:27, 6:26]  # high hair above it may come as near
        assert face.max() > 220
        row, column = np.unravel_index(face.argmax(), face.shape)
        assert 5 <= row <= 20
        assert 3 <= column <= 16


def test_crops_have_the_size_asked_for():
    for size in (32, 96):
        video = plan("I", replace(TINY, size=size), 0, None)[0]
        assert decode_jpeg(render(video)[0].image).shape == (size, size, 3)


@pytest.mark.parametrize("name", ["small", "full"])
def test_scales_hold_what_they_promise(name):
    live = sum(v.frames for v in plan("O", SCALES[name], 0, None) if v.attack_type == LIVE)
    total = sum(v.frames for v in plan("O", SCALES[name], 0, None))
    assert total == {"small": 3, "full": 5}[name] * live  # OULU-NPU has four attacks for each live recording
    people = [len({v.subject for v in plan(d, SCALES[name], 0, None)}) for d in DOMAINS]
    assert people == {"small": [28] * 4, "full": [55, 50, 50, 35]}[name]


def test_an_unknown_domain_is_named_with_the_choices():
    with pytest.raises(ConfigError, match=r"unknown generated domain .X.. choose from O, C, I, M, or add"):
        next(generate("X", TINY, 0))


@pytest.mark.parametrize(("field", "value"), [("size", 50), ("size", 0), ("videos", 0), ("frames", 0)])
def test_a_scale_refuses_impossible_amounts(field, value):
    with pytest.raises(ConfigError, match=field):
        replace(TINY, **{field: value})


def test_a_scale_needs_subjects_in_every_split():
    with pytest.raises(ConfigError, match="no test subjects"):
        replace(TINY, subjects={"*": {"train": 1, "validation": 1, "test": 0}})
