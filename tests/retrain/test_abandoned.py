"""An interrupted attempt that can never go on ends in words, and the next one begins."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfmeta_dist.cluster.retrain import Doing, work
from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.core.errors import RunError
from rfmeta_dist.data.shards.batches import Batch, publish_batch, retract, set_reviewed
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.data.upkeep.forget import forget
from rfmeta_dist.evaluation.scores import Scores
from rfmeta_dist.retrain import watch
from rfmeta_dist.retrain.gate import judge
from rfmeta_dist.retrain.opening import see
from rfmeta_dist.retrain.promotion import champion, promote
from rfmeta_dist.retrain.registries import open_registry
from rfmeta_dist.storage.store import open_store
from tests.retrain.pairs_made import frozen, made
from tests.retrain.worlds import attempt_of, ended, publish, retraining, samples_of

DOING = Doing(tell=lambda _: None, display=lambda: nullcontext(lambda _: None))


@pytest.fixture
def states(tmp_path: Path) -> list[Manifest]:
    return [publish(tmp_path / "shards", name) for name in "AB"]


def test_of_erased_data(tmp_path: Path, states: list[Manifest]) -> None:
    config = retraining(tmp_path)
    attempt = attempt_of(config, states)
    forget(open_store(str(tmp_path / "shards")), "A", samples_of("A")[0].subject)
    found = work(config, attempt, DOING)
    assert found["outcome"] == "abandoned"
    assert "of domain A" in found["why"]
    assert "shards forget" in found["why"]
    decision = watch.decide(config, see(config))
    assert decision.act == "train"
    assert decision.asked is not None
    assert (decision.asked.number, decision.asked.forced) == (2, 0)


def test_not_of_data_that_was_erased_after_the_verdict(tmp_path: Path, states: list[Manifest]) -> None:
    config = retraining(tmp_path, promotion="approve")
    attempt = attempt_of(config, states, champion={"number": 1, "attempt": str(tmp_path), "decided": "x"})
    pairs = made(frozen({"live": (50, 2, 2), "print": (50, 2, 2)}))
    none = np.array([], object)
    tested = Scores(*[none] * 6, np.array([], int), np.array([], float))
    for name, data in {
        "run/model/package.json": b"{}",
        "package/deploy.json": b"{}",
        "intake.json": b'{"findings": [], "before": {}}',
        "test.parquet": tested.to_parquet(),
        "scores.parquet": pairs.to_parquet(),
    }.items():
        attempt.folder.write(name, data)
    attempt.write("verdict.json", judge(pairs, config.gate).as_dict())
    forget(open_store(str(tmp_path / "shards")), "A", samples_of("A")[0].subject)
    assert work(config, attempt, DOING)["outcome"] == "undecided"


def test_of_a_configuration_that_was_changed(tmp_path: Path, states: list[Manifest]) -> None:
    attempt = attempt_of(retraining(tmp_path), states)
    config = retraining(tmp_path, challenger={"steps": 7})
    found = work(config, attempt, DOING)
    assert found["outcome"] == "abandoned"
    assert "the configuration was changed" in found["why"]
    assert "The attempt could not go on" in attempt.folder.read("page.html").decode()
    assert watch.decide(config, see(config)).act == "train"


def test_of_a_champion_that_was_replaced(tmp_path: Path, states: list[Manifest]) -> None:
    config = retraining(tmp_path)
    gone = {"number": 1, "attempt": str(tmp_path / "deleted"), "since": "", "decided": "x"}
    found = work(config, attempt_of(config, states, champion=gone), DOING)
    assert found["outcome"] == "overtaken"


def registered(config: Retraining, tags: dict[str, Any]) -> None:
    """Promote a version with these tags."""
    registry, store = open_registry(config), open_store(config.registry_place)
    version = registry.register("somewhere", {"package": "p", **tags})
    promote(registry, store, version, {}, champion(store))


@pytest.mark.parametrize("named", [False, True])
def test_a_champion_of_no_attempt_is_explained(tmp_path: Path, states: list[Manifest], *, named: bool) -> None:
    config = retraining(tmp_path)
    registered(config, {"attempt": str(tmp_path / "deleted")} if named else {})
    problem = "was deleted or moved" if named else "version 1 is the champion, but it was registered by hand"
    with pytest.raises(RunError, match=problem):
        watch.decide(config, see(config))


def test_data_is_tried_again_after_a_review_and_after_bad_data_was_taken_out(
    tmp_path: Path, states: list[Manifest]
) -> None:
    config = retraining(tmp_path, watch={"least_videos": 4})
    first = attempt_of(config, states)
    first.end(ended("promoted"))
    registered(config, {"attempt": first.folder.url})
    store = open_store(str(tmp_path / "shards"))
    for seed, name in enumerate(("good", "bad"), 5):
        new = [
            replace(s, key=f"{s.key}{name}", video=f"{s.video}{name}", subject=f"{s.subject}{name}")
            for s in samples_of("A", seed)
        ]
        publish_batch(new, store, "A", Batch(name, "X", "2026-11-30T00:00:00+00:00"), contract={})
    newest = [Manifest.open(store, name) for name in "AB"]
    stopped = attempt_of(config, newest, 2, batches={"A": ["bad", "good"]}, reviewed=[("A", "good")])
    stopped.end(ended("stopped"))
    set_reviewed(store, "A", "good")
    tried = watch.decide(config, see(config))
    assert (tried.act, "were tried on" in tried.notes[-1]) == ("nothing", True)
    set_reviewed(store, "A", "bad")  # its videos did not count before
    assert watch.decide(config, see(config)).act == "train"
    set_reviewed(store, "A", "bad", reviewed=False)
    assert watch.decide(config, see(config)).act == "nothing"
    retract(store, "A", "bad")
    decision = watch.decide(config, see(config))
    assert decision.act == "train"
    assert decision.asked is not None
    assert decision.asked.forced == 0


def test_domains_that_were_replaced_stop_it_before_the_training(tmp_path: Path, states: list[Manifest]) -> None:
    config = retraining(tmp_path)
    first = attempt_of(config, states)
    first.end(ended("promoted"))
    registered(config, {"attempt": first.folder.url})
    replaced = [publish(tmp_path / "shards", name, samples_of(name, 9)) for name in "AB"]
    facts = see(config).champion
    found = work(config, attempt_of(config, replaced, 2, champion=facts), DOING)
    assert found["outcome"] == "stopped"
    assert "no live and no attack samples any more that the champion knows" in found["why"]
    assert watch.decide(config, see(config)).act == "nothing"
