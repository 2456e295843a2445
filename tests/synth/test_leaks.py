"""Leak probes: what should not give an attack away does not, and what should does."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rfmeta_dist.core.types import Sample
from rfmeta_dist.synth.card import DOMAINS
from rfmeta_dist.synth.codec import decode_jpeg
from rfmeta_dist.synth.generate import plan, render
from rfmeta_dist.synth.scale import SCALES


@pytest.fixture(scope="module")
def pool() -> list[Sample]:
    """One frame a recording: more would only repeat its luck."""
    subjects = {"*": {"train": 4, "validation": 1, "test": 3}}
    one_frame = replace(SCALES["demo"], subjects=subjects, frames=1)
    return [s for domain in DOMAINS for video in plan(domain, one_frame, 0, None) for s in render(video)]


def file_size(sample: Sample) -> list[float]:
    return [float(len(sample.image))]


def mean_colour(sample: Sample) -> list[float]:
    return list(decode_jpeg(sample.image).mean(axis=(0, 1)))


def corners(sample: Sample) -> list[float]:
    picture = decode_jpeg(sample.image)[:8]
    return [*picture[:, :8].mean(axis=(0, 1)), *picture[:, -8:].mean(axis=(0, 1))]


def texture(sample: Sample) -> list[float]:
    face = decode_jpeg(sample.image)[16:48, 16:48].mean(axis=2)
    spectrum = np.abs(np.fft.fft2(face * np.outer(np.hanning(32), np.hanning(32))))[:17]
    return list(np.log1p(cv2.resize(spectrum, (16, 8), interpolation=cv2.INTER_AREA)).ravel())


def auc(pool, cue) -> float:
    """Area under the ROC of a linear classifier, trained and judged on different people."""
    features, labels = np.array([cue(s) for s in pool]), np.array([s.label for s in pool])
    train = np.array([s.split == "train" for s in pool])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    scores = probe.fit(features[train], labels[train]).decision_function(features[~train])
    return float(roc_auc_score(labels[~train], scores))


@pytest.mark.parametrize("cue", [file_size, mean_colour, corners])
def test_a_trivial_cue_does_not_tell_live_from_attack(pool, cue):
    assert auc(pool, cue) <= 0.7


def test_recapture_leaves_a_trace_in_the_texture_of_a_small_crop(pool):
    assert auc(pool, texture) >= 0.6
