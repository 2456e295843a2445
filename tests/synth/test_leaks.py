"""Leak probes on the generated domains: what should not give an attack away does not, and what should does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from statistics import mean

import pytest

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.probes.cues import CONTROL
from rfmeta_dist.probes.leaks import Probed, probe
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.card import DOMAINS
from rfmeta_dist.synth.domains.scale import SCALES
from rfmeta_dist.synth.output.generate import plan, render

# The result follows from the pictures alone, which tests/synth/test_unmoved.py holds for each change.
pytestmark = pytest.mark.drill
PEOPLE = {"*": {"train": 30, "validation": 1, "test": 30}}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[Probed]:
    """Of small crops, with rho = 0; one frame a recording, since more would only repeat its luck."""
    folder = open_store(str(tmp_path_factory.mktemp("leaks")))
    scale = replace(SCALES["demo"], subjects=PEOPLE, videos=1, frames=1)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for name in DOMAINS:
            samples = chain.from_iterable(pool.map(render, plan(name, scale, 0, None, 0.0), chunksize=8))
            pack(samples, folder, name, contract={})
    return probe(folder, list(DOMAINS), 0, lambda samples: None)


def within(results: list[Probed], cue: str) -> float:
    return mean(r.within.value for r in results if r.cue == cue)


def across(results: list[Probed], cue: str) -> float:
    return mean(r.across.value for r in results if r.cue == cue and r.across)


# One domain has 30 test people, where chance alone moves an AUC by 0.06; the mean of four is steadier.
@pytest.mark.parametrize("figure", [within, across])
@pytest.mark.parametrize("cue", ["background", "colour", "file size", "geometry", "sharpness", "border"])
def test_a_trivial_cue_does_not_tell_live_from_attack(
    results, cue: str, figure: Callable[[list[Probed], str], float]
):
    assert figure(results, cue) <= 0.6


@pytest.mark.parametrize("figure", [within, across])
def test_recapture_leaves_a_trace_in_the_texture_of_a_small_crop(
    results, figure: Callable[[list[Probed], str], float]
):
    assert figure(results, CONTROL) >= 0.75
