"""Decide when to train: new data, code or configuration; never the same again, nor after erasing a person."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.retrain import watch
from rfmeta_dist.retrain.attempts import Attempt
from rfmeta_dist.retrain.watch import Decision
from rfmeta_dist.storage.store import open_store
from tests.retrain.worlds import attempt_of, ended, publish, retraining, samples_of


class World:
    """Two domains, and a champion that knows them."""

    def __init__(self, tmp_path: Path, **fields: Any) -> None:
        self.place = tmp_path / "shards"
        self.states = [publish(self.place, name) for name in "AB"]
        self.config = retraining(tmp_path, watch={"least_videos": 4, "least_of_type": 2}, **fields)
        self.of_champion = attempt_of(self.config, self.states)
        self.of_champion.end(ended("promoted"))

    def land(self, domain: str, seed: int, **changed: Any) -> Manifest:
        """Publish new samples of a domain beside the old ones."""
        new = [
            replace(s, key=f"{s.key}x{seed}", video=f"{s.video}x{seed}", **changed)
            for s in samples_of(domain, seed)
        ]
        return publish(self.place, domain, [*samples_of(domain), *new])

    def decide(self, config: Retraining | None = None, *, forced: bool = False, **seen: Any) -> Decision:
        champion = {
            "number": 1,
            "decided": "x",
            "attempt": self.of_champion.folder.url,
            "since": "2026-11-01T00:00:00+00:00",
        }
        found = watch.see(config or self.config, champion, (), "")
        return watch.decide(config or self.config, replace(found, **seen), forced=forced)

    def again(self, number: int, **fields: Any) -> Attempt:
        """Begin another attempt on the newest states, and end it."""
        states = [Manifest.open(open_store(str(self.place)), name) for name in "AB"]
        attempt = attempt_of(self.config, states, number, **fields)
        attempt.end(ended("undecided"))
        return attempt


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_without_a_champion_a_first_model_is_trained(tmp_path: Path) -> None:
    world = World(tmp_path)
    other = retraining(tmp_path, name="another")
    found = watch.decide(other, watch.see(other, None, (), ""))
    assert found.act == "train"
    assert found.asked is not None
    assert found.asked.pins == {state.domain: state.fingerprint for state in world.states}
    assert "first model" in found.reasons[0]


def test_nothing_is_done_if_nothing_is_new(world: World) -> None:
    found = world.decide()
    assert (found.act, found.reasons) == ("nothing", ())


def test_enough_new_videos_are_a_reason_and_too_few_are_not(world: World) -> None:
    world.land("A", seed=5)
    found = world.decide()
    assert found.act == "train"
    assert found.reasons == ("12 new videos have landed",)
    strict = world.config.model_copy(
        update={"watch": world.config.watch.model_copy(update={"least_videos": 13})}
    )
    found = world.decide(strict)
    assert found.act == "nothing"
    assert "12 new videos have landed; a challenger is trained from 13 on" in found.notes


def test_age_and_drift_lower_the_number_and_are_no_reason_alone(world: World) -> None:
    assert world.decide(drifted="the scores have drifted").act == "nothing"
    world.land("A", seed=5)
    changed = {"least_videos": 20, "age_days": 5}
    strict = world.config.model_copy(update={"watch": world.config.watch.model_copy(update=changed)})
    assert world.decide(strict, age_days=1.0).act == "nothing"
    assert world.decide(strict, age_days=6.0).act == "train"
    assert world.decide(strict, age_days=1.0, drifted="the scores have drifted").act == "train"


def test_a_new_attack_type_is_a_reason_by_itself(world: World) -> None:
    new = [
        replace(s, key=f"{s.key}m", video=f"{s.video}m", attack_type="mask")
        for s in samples_of("A", 5)
        if s.label == 0 and s.split == "train"
    ]
    publish(world.place, "A", [*samples_of("A"), *new])
    found = world.decide()
    assert found.act == "train"
    assert found.reasons == ("the attack type mask is new: 2 videos",)


def test_a_new_domain_joins_or_is_ignored(world: World) -> None:
    publish(world.place, "C")
    found = world.decide()
    assert found.asked is not None
    assert list(found.asked.pins) == ["A", "B", "C"]
    assert "the domain C is new" in found.reasons
    ignoring = world.config.model_copy(
        update={"watch": world.config.watch.model_copy(update={"new_domains": "ignore"})}
    )
    found = world.decide(ignoring)
    assert found.act == "nothing"
    assert "watch.new_domains is ignore" in found.notes[0]


def test_a_domain_of_one_class_does_not_join(world: World) -> None:
    publish(world.place, "C", [s for s in samples_of("C") if s.label == 1])
    found = world.decide()
    assert found.act == "nothing"
    assert "it has no attack samples" in found.notes[0]


def test_the_same_data_code_and_configuration_are_not_trained_again(world: World) -> None:
    world.land("A", seed=5)
    world.again(2)
    found = world.decide()
    assert found.act == "nothing"
    assert "were tried on" in found.notes[-1]
    forced = world.decide(forced=True)
    assert forced.asked is not None
    assert (forced.asked.forced, forced.asked.seed, forced.asked.number) == (1, 1, 3)


@pytest.mark.parametrize(("videos", "act"), [(3, "nothing"), (4, "train")])
def test_after_a_verdict_that_promoted_nobody_as_much_must_be_new_again(
    world: World, videos: int, act: str
) -> None:
    world.land("A", seed=5)
    champion = {"number": 1, "decided": "x"}
    world.again(2, champion=champion)
    landed = [s for s in samples_of("B", 6) if s.split == "train"] + [
        s for s in samples_of("B", 7) if s.split == "test" and s.attack_type == "print"
    ]
    names = sorted({(s.split, s.video) for s in landed})[:videos]
    more = [replace(s, key=f"{s.key}y", video=f"{s.video}y") for s in landed if (s.split, s.video) in names]
    publish(world.place, "B", [*samples_of("B"), *more])
    found = world.decide()
    assert found.act == act
    if act == "nothing":
        assert (
            "since attempt 2 (undecided), 3 new videos have landed; the next challenger is trained from 4 on"
            in found.notes[-1]
        )
        assert world.decide(forced=True).act == "train"


def test_other_code_or_configuration_is_a_reason(world: World) -> None:
    base = world.config.base
    longer = base.model_copy(update={"training": base.training.model_copy(update={"steps": 4})})
    found = world.decide(world.config.model_copy(update={"base": longer}))
    assert found.reasons == ("the configuration is another than the champion's",)
    wider = base.model_copy(
        update={"training": base.training.model_copy(update={"workers": 2, "strategy": "ddp"})}
    )
    assert world.decide(world.config.model_copy(update={"base": wider})).act == "nothing"
    older = World(world.place.parent / "older")
    older.of_champion.write("attempt.json", {**vars(older.of_champion.asked), "code": "0.0.1+abc"})
    older.of_champion = Attempt(older.of_champion.folder)
    assert older.decide().act == "train"


@pytest.mark.parametrize("tried", [False, True])
def test_an_erased_person_is_no_reason_to_train(world: World, *, tried: bool) -> None:
    world.land("A", seed=5)
    states = [Manifest.open(open_store(str(world.place)), name) for name in "AB"]
    if tried:  # the champion does not know the new data, but a refused challenger was trained on it
        world.again(2)
    else:
        world.of_champion = attempt_of(world.config, states, 2)
        world.of_champion.end(ended("promoted"))
    forget(open_store(str(world.place)), "A", samples_of("A")[0].subject)
    assert world.decide().act == "nothing"


def test_an_interrupted_attempt_is_continued_before_anything_else(world: World) -> None:
    open_one = attempt_of(world.config, world.states, 2)
    world.land("A", seed=5)
    found = world.decide()
    assert found.act == "continue"
    assert found.attempt is not None
    assert found.attempt.folder.url == open_one.folder.url
    assert found.attempt.asked.pins["A"] == world.states[0].fingerprint  # not what has landed since


def test_the_decision_imports_neither_ray_nor_torch_nor_mlflow() -> None:
    code = (
        "import sys, rfmeta_dist.retrain.watch\n"
        "print(sorted({'ray', 'torch', 'mlflow', 'scipy', 'onnxruntime'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
