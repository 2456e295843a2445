"""The whole way of a retraining on a real Ray: a first model, a new attack, poison, and a rollback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.core.types import Sample
from rfmeta_dist.data.shards.batches import Batch, publish_batch, set_reviewed
from rfmeta_dist.storage.store import open_store
from tests.retrain import colours

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1200)]  # a busy machine needs minutes for each training


class Shop:
    """A retraining of two domains, and what its user does."""

    def __init__(self, place: Path, **fields: Any) -> None:
        self.place = place
        colours.publish(place / "shards")
        base = {
            "data": {"prefix": str(place / "shards"), "sources": ["A", "B"], "image_size": 32, "batch": 16},
            "model": {"width": 0.05},
            "training": {"steps": 60, "learning_rate": 5e-3, "workers": 1, "strategy": "single"},
            "evaluation": {"recalibration_batches": 8},
        }
        given = {
            "name": "shop",
            "folder": str(place / "retrain"),
            "base": base,
            "watch": {"least_videos": 40},
            "challenger": {"steps": 60},
            **fields,
        }
        self.file = place / "retrain.yaml"
        self.file.write_text(yaml.safe_dump(given))

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-c", "from rfmeta_dist.cli import main; main()"]

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json, and return what it prints."""
        done = subprocess.run(
            [*self.command, *arguments, "--json"], capture_output=True, text=True, timeout=900, check=False
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return dict(json.loads(done.stdout)) if done.stdout.strip() else {"error": done.stderr}

    def retrain(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        return self.run("retrain", str(self.file), *arguments, code=code)

    def deliver(self, domain: str, batch: str, samples: Iterable[Sample]) -> None:
        """Add a reviewed batch to a domain."""
        store = open_store(str(self.place / "shards"))
        facts = Batch(batch, "a supplier", "2026-11-30T00:00:00+00:00")
        publish_batch(list(samples), store, domain, facts, contract={})
        set_reviewed(store, domain, batch)

    def masks(self, batch: str = "masks", domain: str = "A") -> None:
        """Deliver people with masks, and as they are."""
        self.deliver(domain, batch, colours.people(domain, ("live", "mask"), prefix=f"{batch}_"))

    @property
    def champion(self) -> int:
        found = json.loads((self.place / "retrain/shop/registry/promotion.json").read_text())
        return int(found["number"])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_story(shop: Shop) -> None:
    first = shop.retrain()
    assert (first["decision"], first["outcome"], shop.champion) == ("train", "promoted", 1)
    assert shop.retrain()["decision"] == "nothing"

    shop.masks()
    better = shop.retrain()
    assert (better["outcome"], shop.champion) == ("promoted", 2)
    assert "the attack type mask is new" in " ".join(better["reasons"])
    attempt = Path(better["attempt"])
    verdict = json.loads((attempt / "verdict.json").read_text())
    gain = next(row for row in verdict["tests"] if row["test"] == "gain")
    assert gain["champion"] > 80  # of 90 people with masks, nearly all were accepted
    assert gain["challenger"] < 20
    assert (attempt / "page.html").read_text().startswith("<!doctype html>")

    poison = [colours.flipped(s) for s in colours.people("B", prefix="poison_")]
    shop.deliver("B", "poison", poison)
    refused = shop.retrain()
    assert (refused["outcome"], shop.champion) == ("stopped", 2)
    assert "poison" in refused["why"]

    started = time.monotonic()
    again = shop.retrain()
    assert time.monotonic() - started < 5
    assert again["decision"] == "nothing"
    assert "were tried on" in again["notes"][-1]

    shop.run("models", "rollback", str(shop.file), "--reason", "complaints")
    assert shop.champion == 1
    assert shop.retrain()["decision"] == "nothing"
    assert shop.champion == 1


@pytest.mark.parametrize(
    "seen",
    ["attempt.json", "run/step-0000020/state.json", "scores.parquet", "verdict.json", "outcome.json"],
)
def test_killed_at_a_point_the_next_command_goes_on_to_the_same_end(shop: Shop, seen: str) -> None:
    edited = yaml.safe_load(shop.file.read_text())
    edited["base"]["training"]["checkpoint_every"] = 20
    shop.file.write_text(yaml.safe_dump(edited))
    shop.retrain()
    shop.masks()
    command = [*shop.command, "retrain", str(shop.file), "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    folder, deadline = shop.place / "retrain/shop/attempts", time.monotonic() + 800
    while not list(folder.glob(f"0002-*/{seen}")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert shop.champion in (1, 2)
    if seen != "outcome.json":
        ended = shop.retrain()
        assert (ended["decision"], ended.get("outcome")) in [("continue", "promoted"), ("nothing", None)]
    assert shop.champion == 2
    assert shop.retrain()["decision"] == "nothing"
    events = [
        json.loads(file.read_text()) for file in sorted((shop.place / "retrain/shop/registry/audit").iterdir())
    ]
    assert [event["kind"] for event in events].count("decided") == 2  # each champion was decided on once


def test_data_that_lands_during_a_training_changes_no_bit_of_it(tmp_path: Path) -> None:
    weights = []
    for name in ("quiet", "busy"):
        shop = Shop(tmp_path / name)
        shop.retrain()
        shop.masks()
        process = subprocess.Popen(
            [*shop.command, "retrain", str(shop.file), "--json"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        folder = shop.place / "retrain/shop/attempts"
        while not list(folder.glob("0002-*/run/config.yaml")):
            time.sleep(0.05)
        if name == "busy":
            shop.masks("more", "B")
        assert process.wait() == 0
        (model,) = folder.glob("0002-*/run/model/weights.safetensors")
        weights.append(model.read_bytes())
    assert weights[0] == weights[1]
    assert shop.retrain("--dry-run")["decision"] == "train"  # what has landed is looked at by the next one


def test_of_two_at_once_one_leaves_with_a_message_and_nothing_is_trained_twice(shop: Shop) -> None:
    command = [*shop.command, "retrain", str(shop.file), "--json"]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    ended = [(process.communicate()[1], process.returncode) for process in processes]
    assert sorted(code for _, code in ended) == [0, 5]
    (message,) = [text for text, code in ended if code]
    assert "is being retrained already" in message
    assert len(list((shop.place / "retrain/shop/attempts").iterdir())) == 1


def test_without_auto_the_cluster_needs_no_right_to_the_registry(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    shop = Shop(tmp_path / "shop", promotion="approve", registry={"place": str(registry)})
    assert shop.retrain()["outcome"] == "approve"
    assert not registry.exists()
    shop.run("models", "promote", str(shop.file))
    assert json.loads((registry / "promotion.json").read_text())["number"] == 1
    shop.masks()
    waiting = shop.retrain()
    assert waiting["outcome"] == "approve"
    verdict = Path(waiting["attempt"]) / "verdict.json"
    sound = verdict.read_text()
    verdict.write_text(json.dumps({**json.loads(sound), "decision": "promoted", "tries": 2}))
    assert "verdict" in shop.run("models", "promote", str(shop.file), code=1)["error"]
    verdict.write_text(sound)
    shop.run("models", "promote", str(shop.file))
    assert json.loads((registry / "promotion.json").read_text())["number"] == 2


def test_drift_is_told_and_trains_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.retrain()
    scores = tmp_path / "scores"
    scores.mkdir()
    rows = [f"v{n},{0.4 + 0.001 * (n % 100)}" for n in range(300)]
    (scores / "scores-today.csv").write_text("\n".join(["video,score", *rows]) + "\n")
    told = shop.retrain("--scores", str(scores))
    assert told["decision"] == "nothing"
    assert told["drift"]["verdict"] == "drift"
    kept = json.loads((shop.place / "retrain/shop/drift.json").read_text())
    assert kept["version"] == 1
