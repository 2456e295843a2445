"""Sets that differ in one part of their physics alone, and what is trained on one and judged in another."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.transfer import __main__ as command
from bench.transfer import data, physics, results, trial
from bench.transfer.design import ARMS, Cell, Settings, cells
from bench.transfer.page import page
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.types import LIVE
from rfmeta_dist.data.reading.stream import scan
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from rfmeta_dist.synth.domains.drawn import MOST
from rfmeta_dist.synth.instruments.prints import print_out
from rfmeta_dist.synth.instruments.screens import set_up_screen
from rfmeta_dist.synth.optics.framing import Framing, square
from tests.samples import make_sample
from tests.studies import invented

TINY = Settings(
    domains=2, few=2, judged=1, people=2, others=2, size=64, episode=2, batch=2, steps=1, width=0.05,
    precision="fp32",
)  # fmt: skip
SMALL = Cell("resolved", "texture_faces", 0, ("resolved", "unresolved"))
FRAMING = Framing(0.0, 0.0, 1.0, 0.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All sets at the smallest size, and one classifier. Tests leave them as they are."""
    folder = tmp_path_factory.mktemp("transfer")
    for name in [name for group in data.domains(TINY) for name in group]:
        data.make(name, TINY, folder)
    trial.run(SMALL, TINY, folder, None)
    return folder


def drawn_periods(card, camera, rng):
    """Periods of the pattern on the sensor, as the generator draws its instruments."""
    density = camera.density(rng.uniform(*camera.distance))
    photo = np.full((2, 2, 3), 0.5, np.float32)
    for paper in card.papers:
        yield print_out(photo, square(2), paper, 0.01, rng).cell * density, 1.0
    for screen in card.screens:
        display = set_up_screen(screen, FRAMING, square(8), rng)
        # Red and blue of a diamond panel repeat along the diagonal of its pixels.
        yield display.pitch * density, math.sqrt(2) if screen.subpixels == "diamond" else 1.0


def test_patterns_are_resolved_or_not_by_every_camera_of_every_domain():
    rng = np.random.default_rng(0)
    for card in physics.base_cards(24, 0).values():
        for camera in card.cameras:
            assert all(period >= 2.0 for period, _ in drawn_periods(physics.resolved(card), camera, rng))
            unresolved = drawn_periods(physics.unresolved(card), camera, rng)
            assert all(period * coarsest <= 0.7 for period, coarsest in unresolved)


@pytest.mark.parametrize("seed", range(3))
def test_no_distance_size_or_number_of_lines_leaves_the_asked_side(seed):
    for drawn in physics.base_cards(MOST, seed).values():
        # Several cameras a domain, too, though the bench has one.
        for card in (drawn, replace(drawn, cameras=(drawn.cameras[0], replace(drawn.cameras[0], pitch=1.0)))):
            for instrument in (*physics.resolved(card).papers, *physics.resolved(card).screens):
                assert physics.periods(card, instrument)[0] >= 2.0
            for instrument in (*physics.unresolved(card).papers, *physics.unresolved(card).screens):
                assert physics.periods(card, instrument)[1] <= 0.7


def test_the_periods_that_are_told_hold_all_that_are_drawn():
    rng = np.random.default_rng(1)
    for card in physics.base_cards(5, 0).values():
        told = [physics.periods(card, instrument) for instrument in (*card.papers, *card.screens)]
        for _ in range(6):
            drawn = drawn_periods(card, card.cameras[0], rng)
            for (low, high), (period, coarsest) in zip(told, drawn, strict=True):
                assert low * 0.999 <= period <= period * coarsest <= high * 1.001


def test_cameras_have_few_or_many_pixels_and_the_same_place():
    for card in physics.base_cards(12, 0).values():
        few, many = (change(card).cameras[0] for change in (physics.few_pixels, physics.many_pixels))
        assert 56 <= physics.across_face(few) <= 112
        assert 240 <= physics.across_face(many) <= 480
        assert replace(few, pitch=1.0) == replace(many, pitch=1.0) == replace(card.cameras[0], pitch=1.0)


def test_people_who_are_judged_are_trained_on_nowhere():
    train, judged = data.domains(Settings())
    assert not set(train) & set(judged)
    shown = {}
    for side, names in (("train", train[:3]), ("judged", judged[:3])):
        videos = [v for name in names for some in data.planned(name, Settings()).values() for v in some]
        assert {v.split for v in videos} == {"train" if side == "train" else "test"}
        shown[side] = {person for v in videos for person in (v.identity, v.attacker)}
    assert not shown["train"] & shown["judged"]


def samples(folder, name, domain):
    store = open_store(str(data.set_folder(folder, name)))
    manifest = Manifest.open(store, domain)
    kinds = dict(zip(*(manifest.samples[c].to_pylist() for c in ("key", "attack_type")), strict=True))
    batches = scan(store, manifest, None, image_size=TINY.size, batch=8)
    return {
        key: (kinds[key], image, depth)
        for batch in batches
        for key, image, depth in zip(batch.keys, batch.image, batch.depth, strict=True)
    }


def test_sets_hold_the_same_recordings_but_for_the_part_that_is_changed(made):
    resolved, unresolved, drawn = (samples(made, name, "D01") for name in ("resolved", "unresolved", "drawn"))
    assert list(resolved) == list(unresolved) == list(drawn)
    for key, (kind, image, depth) in resolved.items():
        other = unresolved[key]
        assert np.array_equal(depth, other[2])
        assert np.array_equal(image, other[1]) == (kind == LIVE)
        # A face at the same place in the same light: what differs is finer than an eighth of the crop.
        small, large = (
            np.asarray(Image.fromarray(i).resize((8, 8), Image.Resampling.BOX)) for i in (image, other[1])
        )
        assert np.abs(small.astype(float) - large).mean() < 12
    prints, replays = (samples(made, name, "D01") for name in ("prints", "replays"))
    live = {key for key, (kind, *_) in drawn.items() if kind == LIVE}
    assert set(prints) & set(replays) == live
    assert set(prints) | set(replays) == set(drawn)
    for some in (prints, replays):
        assert all(np.array_equal(image, drawn[key][1]) for key, (_, image, _) in some.items())
    assert list(samples(made, "few_pixels", "D01")) == list(samples(made, "many_pixels", "D01")) == list(drawn)


def test_plans_of_both_sides_differ_in_their_instruments_alone():
    plans = data.planned("D02", TINY)
    for one, other in zip(plans["resolved"], plans["unresolved"], strict=True):
        same = replace(one.card, papers=other.card.papers, screens=other.card.screens)
        assert replace(one, card=same) == other
        assert one.rho == 0.0


def test_what_is_done_is_not_done_again_and_other_settings_are_refused(made, tmp_path):
    assert not any(data.missing(name, TINY, made) for name in ("D01", "D02", "D03"))
    assert trial.done(SMALL, TINY, made, None) == SMALL.judged
    assert trial.done(replace(SMALL, seed=1), TINY, made, None) == ()
    # Given shards are a further set to be judged in, and what was judged in the others stays.
    wider = replace(SMALL, judged=(*SMALL.judged, "given"))
    assert trial.done(wider, TINY, made, "shards") == SMALL.judged
    with pytest.raises(RunError, match="steps=1, not 2") as refused:
        trial.done(SMALL, replace(TINY, steps=2), made, None)
    assert "--steps 1" in refused.value.remedy
    with pytest.raises(RunError, match="other settings"):
        data.missing("D01", replace(TINY, people=3), made)


def invented_pictures(domain):
    """Of each person a live sample and an attack."""
    for split in ("train", "test"):
        for number in range(6):
            sample, person = make_sample(domain, split, number, label=number % 2), f"{split}-{number // 2}"
            yield replace(sample, subject=f"{domain}-{person}", video=f"{person}-{number}")


def test_a_set_that_is_there_already_is_trained_on_and_judged(made, tmp_path):
    given, keep = tmp_path / "given", tmp_path / "keep"
    with pytest.raises(ConfigError, match="holds 0 domains"):
        command._given(str(given))
    for domain in ("X", "Y"):
        pack(invented_pictures(domain), open_store(str(given)), domain, contract={})
    keep.mkdir()
    (keep / "data").symlink_to(made / "data")
    for cell in cells((0,), given=True):
        if "given" in cell.judged and cell.arm in ("faces", "texture_faces"):
            trial.run(cell, TINY, keep, command._given(str(given)))
    found = results.collect(TINY, (0,), keep, str(given))
    assert "given → unresolved" in page(found)
    pairs = {(row["trained"], row["judged"]) for row in found["auc"]}
    sets = ("resolved", "unresolved", "given")
    assert pairs == {(trained, judged) for trained in (*sets, "drawn") for judged in sets}
    assert {("given", "drawn", "unresolved"), ("unresolved", "resolved", "given")} <= {
        (row["trained"], row["less"], row["judged"]) for row in found["sets"]
    }


@pytest.mark.parametrize("arm", ["patches", "rfmeta"])
def test_networks_are_trained_and_score_every_judged_person(made, tmp_path, arm):
    (tmp_path / "data").symlink_to(made / "data")
    cell = Cell("unresolved", arm, 0, ("resolved", "unresolved"))
    trial.run(cell, TINY, tmp_path, None)
    for judged in cell.judged:
        scored = trial.scores(cell, judged, tmp_path)
        assert len(set(scored.subject.tolist())) == TINY.others
        assert set(scored.domain.tolist()) == {"D03"}


def known(quality, other, people):
    """A table in which two arms were judged on the same recordings, with scores of known quality."""
    found = {}
    for arm, value in (("patches", quality), ("faces", other)):
        some = [results.runs(invented(d, value, seed, people), arm, seed) for d in "ABC" for seed in (0, 1)]
        found["resolved", "unresolved", arm] = [run for group in some for run in group]
    return next(results.between_arms(found))


def test_a_difference_that_is_known_lies_in_its_interval():
    truth = known(2.5, 1.0, people=600)["value"]
    found = known(2.5, 1.0, people=24)
    assert found["low"] < truth < found["high"]
    assert found["low"] > 0
    assert found["pairs"] == 6
    same = known(1.0, 1.0, people=24)
    assert same["value"] == same["low"] == same["high"] == 0


def test_a_loss_is_of_the_side_left_out_against_the_judged_one(made):
    question = next(q for q in command.results.QUESTIONS if q.name == "cameras")
    found = {
        (trained, judged, "faces"): results.runs(
            invented("A", 3.0 if trained == judged else 0.5, 0), "faces", 0
        )
        for trained in question.sides
        for judged in question.sides
    }
    rows = list(results.between_sets(found, question))
    assert [(r["judged"], r["trained"]) for r in rows] == [question.sides, question.sides[::-1]]
    assert all(row["high"] < 0 for row in rows)


def test_a_page_has_every_figure_and_says_what_is_missing(made):
    found = results.collect(TINY, (0,), made, None)
    assert found["missing"] == len(cells((0,), given=False)) - 1
    text = page(found)
    assert f"{found['missing']} trainings are missing" in text
    for row in found["auc"]:
        assert f"{100 * row['value']:.1f} [" in text
    assert len(found["sets"]) == 0


def test_networks_are_trained_once_a_seed_and_classifiers_once():
    every = cells((0, 1, 2), given=True)
    assert len({cell.name for cell in every}) == len(every)
    assert {cell.seed for cell in every if not ARMS[cell.arm].network} == {0}
    given = [cell for cell in every if cell.trained == "given"]
    assert {cell.arm for cell in given} == {name for name in ARMS if name != "rfmeta" and not ARMS[name].few}


@pytest.mark.drill
def test_a_bench_that_was_interrupted_goes_on_and_trains_nothing_again(made, tmp_path, monkeypatch):
    (tmp_path / "keep").mkdir()
    (tmp_path / "keep" / "data").symlink_to(made / "data")
    options = {name.replace("_", "-"): value for name, value in vars(TINY).items()}
    options |= {"seeds": 0, "keep": tmp_path / "keep", "slots": 2}
    options |= {"page": tmp_path / "page.md", "out": tmp_path / "out.json"}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["transfer", *arguments])
    assert command.main() == 0
    rows = {path: path.stat().st_mtime_ns for path in (tmp_path / "keep" / "cells").rglob("row.json")}
    assert len(rows) == len(cells((0,), given=False))
    lost = next(iter(rows))
    lost.unlink()
    assert command.main() == 0
    again = {path: path.stat().st_mtime_ns for path in rows}
    assert [path for path in rows if again[path] != rows[path]] == [lost]
    assert json.loads((tmp_path / "out.json").read_text())["missing"] == 0
    assert command.main() == 0
    assert {path: path.stat().st_mtime_ns for path in rows} == again
