"""The figures of a retraining, and the record that each look of `rfmeta retrain` leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rfmeta_dist.config.retrain import Retraining
from rfmeta_dist.retrain.audit import Log
from rfmeta_dist.retrain.promotion import champion, promote
from rfmeta_dist.retrain.stored import StoreRegistry
from rfmeta_dist.storage import lease
from rfmeta_dist.storage.store import open_store
from tests.monitoring.test_exporter import chosen, figures, value
from tests.retrain.worlds import attempt_of, ended, publish, retraining

RATES = [
    {"part": "frozen", "type": "live", "rate": "BPCER", "champion": 0.5, "challenger": 0.02},
    {"part": "frozen", "type": "print", "rate": "APCER", "champion": 0.5, "challenger": 0.04},
    {"part": "new", "type": "print", "rate": "APCER", "champion": 0.5, "challenger": 0.9},
]


class Shop:
    """A retraining with a champion that knows all data."""

    def __init__(self, tmp_path: Path, **fields: Any) -> None:
        self.manifests = [publish(tmp_path / "shards", name) for name in "AB"]
        self.config: Retraining = retraining(tmp_path, **fields)
        self.attempt = attempt_of(self.config, self.manifests)
        self.attempt.write("verdict.json", {"rates": RATES})
        self.attempt.end(ended("promoted"))
        registry = StoreRegistry(open_store(self.config.registry_place))
        tags = {"attempt": self.attempt.folder.url, "package": "p", "identity": "i", "batches": "[]"}
        version = registry.register("place/p", tags)
        store = open_store(self.config.registry_place)
        promote(registry, store, version, {"why": "a test"}, champion(store))
        self.file = tmp_path / "retrain.yaml"
        self.file.write_text(yaml.safe_dump(self.config.model_dump(mode="json", exclude_unset=True)))

    def figures(self) -> dict[str, Any]:
        return figures(self.config.place)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")


def age(samples: Any) -> float:
    """Return the hours since a time."""
    return (datetime.now(UTC).timestamp() - value(samples)) / 3600


def test_a_look_that_finds_nothing_leaves_a_record_that_the_next_one_replaces(
    shop: Shop, rfmeta: Callable[..., Any]
):
    assert "rfmeta_retraining_look" not in shop.figures()
    assert rfmeta("retrain", shop.file, "--dry-run").code == 0
    assert "rfmeta_retraining_look" not in shop.figures()  # a dry run is no look
    before = open_store(shop.config.place).list()
    for _ in range(2):
        ending = rfmeta("retrain", shop.file)
        assert ending.code == 0, ending.err
        assert "nothing to do" in ending.err
    assert set(open_store(shop.config.place).list()) - set(before) == {"look.json"}
    found = shop.figures()
    assert chosen(found["rfmeta_retraining_look"], "decision") == "nothing"
    assert age(found["rfmeta_retraining_look_time_seconds"]) < 0.1
    assert value(found["rfmeta_retraining_new_videos"]) == 0
    assert value(found["rfmeta_retraining_unreviewed_videos"]) == 0


def test_a_registry_elsewhere_is_found_by_the_record_of_the_look(tmp_path: Path, rfmeta: Callable[..., Any]):
    shop = Shop(tmp_path, registry={"place": str(tmp_path / "elsewhere")})
    assert value(shop.figures()["rfmeta_retraining_champion"]) == 0
    assert rfmeta("retrain", shop.file).code == 0
    assert value(shop.figures()["rfmeta_retraining_champion"]) == 1


def test_the_champion_its_age_and_its_errors_on_frozen_videos(shop: Shop):
    found = shop.figures()
    assert value(found["rfmeta_retraining_champion"], retraining="shop") == 1
    assert age(found["rfmeta_retraining_champion_time_seconds"]) < 0.1
    errors = {(labels["rate"], labels["type"]): v for labels, v in found["rfmeta_retraining_champion_error"]}
    assert errors == {("BPCER", "live"): 0.02, ("APCER", "print"): 0.04}
    assert value(found["rfmeta_retraining_audit_intact"]) == 1
    assert value(found["rfmeta_retraining_working"]) == 0


def test_attempts_by_outcome_and_the_last_one(shop: Shop):
    for number, outcome in enumerate(("refused", "stopped"), 2):
        attempt_of(shop.config, shop.manifests, number).end(ended(outcome))
    found = shop.figures()
    counted = {labels["outcome"]: v for labels, v in found["rfmeta_retraining_attempts"] if v}
    assert counted == {"promoted": 1, "refused": 1, "stopped": 1}
    assert chosen(found["rfmeta_retraining_last_outcome"], "outcome") == "stopped"
    assert value(found["rfmeta_retraining_open_time_seconds"]) == 0


def test_an_open_attempt_has_an_age_and_a_process_or_none(shop: Shop):
    attempt_of(shop.config, shop.manifests, 2, started=ago(5))
    found = shop.figures()
    assert value(found["rfmeta_retraining_attempts"], outcome="open") == 1
    assert age(found["rfmeta_retraining_open_time_seconds"]) == pytest.approx(5, abs=0.1)
    with lease.held(open_store(shop.config.place), lease.RETRAINED):
        assert value(shop.figures()["rfmeta_retraining_working"]) == 1


def test_an_approval_waits_as_long_as_the_champion_is_the_one_it_was_compared_with(shop: Shop):
    now = champion(open_store(shop.config.registry_place))
    assert now is not None
    against = {"number": 1, "attempt": shop.attempt.folder.url, "since": ago(9), "decided": now.decided}
    for number, hours, compared in ((2, 80, against), (3, 90, {**against, "decided": "another"})):
        attempt = attempt_of(shop.config, shop.manifests, number, champion=compared)
        attempt.end({**ended("approve"), "ended": ago(hours)})
    found = shop.figures()
    assert value(found["rfmeta_retraining_approvals"]) == 1
    assert age(found["rfmeta_retraining_approval_time_seconds"]) == pytest.approx(80, abs=0.1)


def test_drift_and_an_edited_audit_log_are_told(shop: Shop):
    assert value(shop.figures()["rfmeta_retraining_drift"]) == 0
    place = open_store(shop.config.place)
    place.write("drift.json", json.dumps({"verdict": "drift", "time": ago(1), "version": 1}).encode())
    registry = open_store(shop.config.registry_place)
    event = Log(registry).events()[0]
    registry.write("audit/000001.json", json.dumps({**vars(event), "time": ago(2)}).encode())
    found = shop.figures()
    assert value(found["rfmeta_retraining_drift"]) == 1
    assert age(found["rfmeta_retraining_drift_time_seconds"]) == pytest.approx(1, abs=0.1)
    assert value(found["rfmeta_retraining_audit_intact"]) == 0
    assert value(found["rfmeta_retraining_champion"]) == 1
