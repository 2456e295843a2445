"""Leak probes find a planted cue, show a reversed one below one half, and no cue at about one half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from rfmeta_dist.core.errors import DataError, VerificationError
from rfmeta_dist.core.patches import Patches
from rfmeta_dist.data.shards.decode import decode_image
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.probes import cues
from rfmeta_dist.probes.cues import CONTROL, FILE_SIZE, PATCH_CUES
from rfmeta_dist.probes.leaks import CUES, Measured, Probed, probe, require
from rfmeta_dist.storage.store import open_store
from tests.samples import SIZE, make_samples

PEOPLE = {"train": (36, 36), "test": (36, 36)}  # pictures; three a person


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """Three domains whose live pictures are redder: A and B; or less red: R."""
    prefix = tmp_path_factory.mktemp("planted")
    for name, sign in {"A": 1, "B": 1, "R": -1}.items():
        samples = []
        for sample in make_samples(name, PEOPLE):
            picture = decode_image(sample.image, "jpg", (SIZE, SIZE)) / 2 + 60
            # Redder and less green, so that brightness stays.
            picture += np.array([50, -25.5, 0]) * sign * (1 if sample.label else -1)
            image = simplejpeg.encode_jpeg(picture.astype(np.uint8), quality=90)
            samples.append(replace(sample, image=image))
        pack(samples, open_store(str(prefix)), name, contract={})
    return prefix


@pytest.fixture(scope="module")
def results(planted) -> dict[tuple[str, str], Probed]:
    counted: list[int] = []
    found = probe(open_store(str(planted)), ["A", "B", "R"], 0, counted.append)
    assert sum(counted) == 3 * 144
    return {(result.cue, result.domain): result for result in found}


def test_a_planted_cue_is_found_within_and_reversed_across(results):
    assert set(results) == {(cue, domain) for cue in CUES for domain in "ABR"}
    assert all(results["colour", domain].within.value > 0.99 for domain in "ABR")
    assert results["colour", "R"].across.value < 0.01
    assert results["background", "A"].within.value > 0.99


@pytest.mark.parametrize("cue", ["sharpness", "border", "texture"])
def test_what_is_not_there_is_not_found(results, cue):
    for domain in "ABR":
        area = results[cue, domain].within
        assert 0.25 < area.value < 0.75
        assert area.low < area.value < area.high


def test_a_limit_names_the_worst_and_leaves_the_control_out(results):
    with pytest.raises(VerificationError, match=r"above 0\.6 \(.*colour within .: 1\.00.*--rho 0"):
        require(results.values(), 0.6)
    require([result for result in results.values() if result.cue == CONTROL], 0.0)


def test_one_domain_alone_has_nothing_across(planted):
    assert all(r.across is None for r in probe(open_store(str(planted)), ["A"], 0, lambda n: None))


def test_a_domain_without_a_class_or_with_too_few_people_is_named(tmp_path):
    store = open_store(str(tmp_path))
    pack(make_samples("A", {"train": (6, 0)}), store, "A", contract={})
    with pytest.raises(DataError, match="domain A has no attack sample"):
        probe(store, ["A"], 0, lambda n: None)
    pack(make_samples("B", {"train": (15, 6)}), store, "B", contract={})
    with pytest.raises(DataError, match=r"domain B shows 2 attacked people, too few for .* in 5 folds"):
        probe(store, ["B"], 0, lambda n: None)


def test_a_cue_of_persons_rather_than_of_attacks_is_not_found(tmp_path):
    """Each person has a colour; if a person were trained on and judged, it would tell their label."""
    samples, rng = [], np.random.default_rng(0)
    colours: dict[str, np.ndarray] = {}
    for sample in make_samples("A", PEOPLE):
        colour = colours.setdefault(sample.subject, rng.uniform(-50, 50, 3))
        picture = np.clip(decode_image(sample.image, "jpg", (SIZE, SIZE)) / 2 + 60 + colour, 0, 255)
        samples.append(replace(sample, image=simplejpeg.encode_jpeg(picture.astype(np.uint8), quality=95)))
    pack(samples, open_store(str(tmp_path)), "A", contract={})
    found = {r.cue: r.within for r in probe(open_store(str(tmp_path)), ["A"], 0, lambda n: None)}
    assert found["colour"].low < 0.5 < found["colour"].high


def test_a_crop_of_one_patch_is_told_from_it_as_from_the_whole_face(planted, results):
    found = probe(open_store(str(planted)), ["A", "B", "R"], 0, lambda n: None, Patches())
    assert {r.cue for r in found} == set(PATCH_CUES)
    other = {"sharpness", FILE_SIZE}  # measured at another size, and of a file that is made for it
    assert all(r == results[r.cue, r.domain] for r in found if r.cue not in other)


def test_patches_see_what_lies_in_them_and_not_the_rim_of_a_crop(tmp_path):
    store, rng = open_store(str(tmp_path)), np.random.default_rng(0)
    for name, rows in {"RIM": slice(0, 32), "CHIN": slice(192, 224)}.items():  # patches reach from 32 to 224
        samples = []
        for sample in make_samples(name, {"train": (30, 30)}):
            picture = rng.integers(100, 120, (256, 256, 3)).astype(np.uint8)
            picture[rows] += np.array([60, 0, 0], np.uint8) * np.uint8(sample.label)
            samples.append(replace(sample, image=cv2.imencode(".png", picture)[1].tobytes(), image_ext="png"))
        pack(samples, store, name, contract={})
    whole, parts = (
        {
            r.domain: r.within.value
            for r in probe(store, ["RIM", "CHIN"], 0, lambda n: None, cut)
            if r.cue == "colour"
        }
        for cut in (None, Patches())
    )
    assert whole == {"RIM": 1.0, "CHIN": 1.0}
    assert parts["CHIN"] == 1.0  # though six of nine patches do not show it
    assert 0.25 < parts["RIM"] < 0.75


def test_patches_show_a_class_that_was_stored_more_coarsely(tmp_path):
    samples = []
    for sample in make_samples("A", PEOPLE):
        picture = decode_image(sample.image, "jpg", (SIZE, SIZE)).astype(np.float32)
        noisy = picture + np.random.default_rng(sample.frame).normal(0, 6, picture.shape)
        image = simplejpeg.encode_jpeg(
            np.clip(noisy, 0, 255).astype(np.uint8), quality=90 if sample.label else 40
        )
        samples.append(replace(sample, image=image))
    pack(samples, open_store(str(tmp_path)), "A", contract={})
    found = {
        r.cue: r.within.value for r in probe(open_store(str(tmp_path)), ["A"], 0, lambda n: None, Patches())
    }
    assert found[FILE_SIZE] > 0.9
    assert found["colour"] < 0.75


def test_the_score_of_a_face_is_the_mean_of_those_of_its_patches():
    names = np.array(["a", "b"], np.object_)
    kinds = np.array(["live", "print"], np.object_)
    shown = Scores(names, names, names, names, names, kinds, np.array([1, 0]), np.zeros(2))
    of_three = Measured({}, np.array([0, 0, 1]), shown)
    assert of_three.label.tolist() == [1, 1, 0]
    assert of_three.scored(np.array([0.5, 1.0, 0.25])).score.tolist() == [0.75, 0.25]


def test_crops_smaller_than_a_patch_are_named_with_the_remedy(tmp_path):
    samples = []
    for sample in make_samples("A", PEOPLE):
        small = decode_image(sample.image, "jpg", (SIZE, SIZE))[:48, :48]
        samples.append(replace(sample, image=simplejpeg.encode_jpeg(np.ascontiguousarray(small), quality=90)))
    pack(samples, open_store(str(tmp_path)), "A", contract={})
    with pytest.raises(DataError, match=r"crops of 48 pixels.*patch of 64.*--view face"):
        probe(open_store(str(tmp_path)), ["A"], 0, lambda n: None, Patches())
    assert probe(open_store(str(tmp_path)), ["A"], 0, lambda n: None)


def disc(x: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[:128, :128]
    inside = np.hypot(rows - 64, columns - x) < radius
    return np.where(inside[..., None], (205, 150, 120), (60, 70, 90)).astype(np.uint8)


def test_geometry_measures_place_and_size():
    left, right, large = (cues.geometry(disc(x, radius)) for x, radius in ((50, 25), (80, 25), (50, 40)))
    assert right[1] > left[1]  # the centre of skin
    assert large[0] > left[0]  # its mass
    assert large[3] > left[3]  # its spread


def test_a_straight_edge_near_the_border_shows_and_one_through_the_middle_does_not():
    rng = np.random.default_rng(0)
    plain = rng.integers(100, 120, (128, 128, 3)).astype(np.uint8)
    edge, middle = plain.copy(), plain.copy()
    edge[:20], middle[:64] = edge[:20] - 80, middle[:64] - 80
    base, at_edge, in_middle = (cues.border(p) for p in (plain, edge, middle))
    assert at_edge[1] == 1.0 > base[1]
    assert np.allclose(in_middle[:2], base[:2], atol=0.3)


def test_sharpness_falls_with_blur_and_sees_neither_contrast_nor_fine_dots_which_texture_does():
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(64, 192, (32, 32, 1)), np.ones((8, 8, 3))).astype(np.uint8)
    sharp, soft = (cv2.GaussianBlur(blocks, (0, 0), sigma) for sigma in (2, 6))
    dotted = (sharp + 20 * (np.indices((256, 256)).sum(0) % 2)[..., None]).astype(np.uint8)
    assert cues.sharpness(sharp)[0] > cues.sharpness(soft)[0] + 0.5
    assert cues.sharpness(dotted)[0] == pytest.approx(cues.sharpness(sharp)[0], abs=0.05)
    assert cues.sharpness((sharp // 2 + 60).astype(np.uint8))[0] == pytest.approx(
        cues.sharpness(sharp)[0], abs=0.05
    )
    assert np.abs(cues.texture(dotted) - cues.texture(sharp)).max() > 1
    grid = np.full((128, 128, 3), 128, np.uint8)
    grid[:, ::3] = 90
    assert np.abs(cues.texture(grid) - cues.texture(np.full_like(grid, 128))).max() > 1
