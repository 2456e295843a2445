"""A model that was trained further from another says so, and is no model with thresholds of one's own."""

from __future__ import annotations

import json
from dataclasses import replace

from rfmeta_dist.deploy import package as deployment
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.start import Start
from rfmeta_dist.export.deployment import export
from rfmeta_dist.export.work import Order, Work
from rfmeta_dist.storage.store import open_store


def test_the_package_and_its_card_name_the_model_before(run, tmp_path):
    trained = package.read(run.sub("model"))
    start = Start("ab" * 32, "models/before", ("A", "B"))
    further = replace(trained, about={**trained.about, **start.facts})
    assert not Work.start(Order(further, run), lambda _: None).child
    out = open_store(str(tmp_path / "out"))
    export(Order(further, run), out, lambda _: None)
    found = deployment.read(out)
    assert (found.parent, found.about["start"]) == (trained.sha256, start.package)
    assert json.loads(found.files["card.json"])["training"]["trained further from the model"] == start.package
    assert start.package in found.files["card.md"].decode()
    place = open_store(str(tmp_path / "own"))
    package.save_child(place, further, list(trained.thresholds.values()), {})
    child = package.read(place)
    assert Work.start(Order(child, run), lambda _: None).child
    assert Start.of(child).domains == ("A", "B")
