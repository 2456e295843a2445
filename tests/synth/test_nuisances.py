"""Spurious cues: their strength, that each shows, and that they leave the classes alike at rho = 0."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.domain import Nuisance
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.filming.film import Video
from rfmeta_dist.synth.filming.nuisances import nuisances
from rfmeta_dist.synth.output.generate import plan, prepare, render

MANY = replace(SCALES["tiny"], subjects={"*": {"train": 200, "validation": 1, "test": 1}}, videos=4)


def shares(domain: str, rho: float) -> dict[tuple[str, bool], float]:
    """Share of the recordings that have each cue, by class."""
    videos = plan(domain, MANY, 0, None, rho)
    counts = Counter((kind, v.attack_type == LIVE) for v in videos for kind in nuisances(v))
    total = Counter(v.attack_type == LIVE for v in videos)
    return {(kind, live): count / total[live] for (kind, live), count in counts.items()}


@pytest.mark.parametrize("domain", DOMAINS)
def test_at_zero_both_classes_have_every_cue_equally_often(domain):
    for cue in DOMAINS[domain].nuisances:
        assert cue.chance(live=True, rho=0.0) == cue.chance(live=False, rho=0.0) == 0.5
    found = shares(domain, 0.0)
    assert len(found) == 2 * len(DOMAINS[domain].nuisances)
    assert all(abs(share - 0.5) < 0.06 for share in found.values())  # four deviations of 800 draws


@pytest.mark.parametrize("domain", DOMAINS)
def test_at_zero_a_live_recording_and_its_attacks_are_made_alike(domain):
    rounds: dict[tuple[str, int], list[object]] = {}
    for v in plan(domain, replace(SCALES["tiny"], videos=3, every_attack=True), 0, None, 0.0):
        rounds.setdefault((v.subject, v.occasion), []).append((prepare(v), nuisances(v)))
    assert all(len(alike) == 1 + len(DOMAINS[domain].attacks) for alike in rounds.values())
    assert all(made == alike[0] for alike in rounds.values() for made in alike)
    assert len({repr(alike[0]) for alike in rounds.values()}) == len(rounds)


@pytest.mark.parametrize("domain", DOMAINS)
def test_at_one_the_label_decides(domain):
    expected = {(cue.kind, cue.sign == 1): 1.0 for cue in DOMAINS[domain].nuisances}
    assert shares(domain, 1.0) == expected


def test_between_them_the_share_follows_rho():
    found = shares("M", 0.5)
    for cue in DOMAINS["M"].nuisances:
        assert found[cue.kind, cue.sign == 1] == pytest.approx(0.75, abs=0.06)
        assert found[cue.kind, cue.sign == -1] == pytest.approx(0.25, abs=0.06)


def test_a_stronger_rho_adds_cues_to_those_who_had_some_and_no_other_luck():
    weak, strong = (plan("O", MANY, 0, None, rho) for rho in (0.2, 0.8))
    likely = {(cue.kind, cue.sign == 1) for cue in DOMAINS["O"].nuisances}
    for one, other in zip(weak, strong, strict=True):
        live = one.attack_type == LIVE
        gained = {k for k in nuisances(one) if (k, live) in likely}
        assert gained <= set(nuisances(other))


@pytest.mark.parametrize("rho", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(rho):
    with pytest.raises(ConfigError, match="rho"):
        plan("O", SCALES["tiny"], 0, None, rho)


def recording(kind: str, present: bool) -> Video:
    """A live recording that has just this cue, or none."""
    cue = Nuisance(kind, 1 if present else -1)
    video = plan("M", replace(SCALES["tiny"], size=128, frames=1), 3, None, rho=1.0)[0]
    office = tuple(replace(venue, backdrops=("wall",)) for venue in video.card.sessions)
    return replace(video, card=replace(video.card, nuisances=(cue,), sessions=office))


def rows(picture: np.ndarray) -> float:
    """How much brightness swings from row to row, slowly."""
    means = picture.mean(axis=(1, 2))
    return float(np.abs(np.diff(means[::8])).mean())


def blockiness(picture: np.ndarray) -> float:
    """Steps at the borders of 8×8 blocks over steps elsewhere."""
    steps = np.abs(np.diff(picture.mean(axis=2), axis=1)).mean(axis=0)
    at = np.arange(len(steps)) % 8 == 7
    return float(steps[at].mean() / steps[~at].mean())


def folds(picture: np.ndarray) -> float:
    """Steps across the top, where folds hang, relative to its brightness: their median, as hair has edges."""
    top = picture[:12].mean(axis=(0, 2))
    return float(np.median(np.abs(np.diff(top))) / top.mean())


SHOWS = {
    "warm": lambda p: p[..., 0].mean() - p[..., 2].mean(),
    "dim": lambda p: -p.mean(),
    "vignette": lambda p: p[48:80, 48:80].mean() - np.mean([p[:8].mean(), p[-8:].mean()]),
    "soft": lambda p: -np.abs(np.diff(p, axis=1)).mean(),
    "banding": rows,
    "blocks": blockiness,
    "backdrop": folds,
}


@pytest.mark.parametrize("kind", SHOWS)
def test_every_cue_shows_in_the_picture(kind):
    without, with_it = (
        decode_image(render(recording(kind, present))[0].image, "jpg", (128, 128)).astype(float)
        for present in (False, True)
    )
    assert SHOWS[kind](with_it) > SHOWS[kind](without)


def test_cues_that_are_absent_change_nothing():
    bare = recording("warm", present=False)
    assert render(bare)[0].image == render(replace(bare, card=replace(bare.card, nuisances=())))[0].image
