"""`rfmeta loo --methods all`, trained: one cell fails and costs no other, and nothing is done twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.config.methods.tables import in_order
from tests.stored import SHARDS

FILE = {
    "data": {"prefix": str(SHARDS), "sources": ["C", "I", "O"], "target": "M", "image_size": 32, "batch": 4},
    "model": {"width": 0.05},
    "training": {"steps": 2, "workers": 2},
    "evaluation": {"recalibration_batches": 1},
}


@pytest.mark.drill
def test_all_methods_are_trained_and_one_that_fails_costs_no_other(rfmeta, tmp_path: Path):
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({"run": {"name": "t", "folder": str(tmp_path / "runs")}, **FILE}))
    other = tmp_path / "runs/t-no_depth-to_M-s0"  # belongs to another run
    other.mkdir(parents=True)
    (other / "config.yaml").write_text(yaml.safe_dump({"run": {"name": "x"}, **FILE, "training": {"steps": 9}}))
    options = ("--methods", "all", "--targets", "M", "--slots", 2, "--json")

    ended = rfmeta("loo", path, *options)
    assert ended.code == 5, ended.err
    found = json.loads(ended.out)
    states = {cell["method"]: cell["state"] for cell in found["cells"]}
    assert states == {name: "failed" if name == "no_depth" else "done" for name in in_order()}
    (results,) = found["tables"]["protocols"].values()
    reasons = {line["method"]: line["reason"] for line in results["methods"] if line["method"]}
    assert "was started for 9 steps" in reasons.pop("no_depth")
    assert set(reasons.values()) == {None}
    assert {d["method"] for d in results["differences"]} == set(in_order()) - {"no_depth", "rfmeta"}
    assert all(line["hours"] for line in results["methods"] if line["method"] in ("rfmeta", "no_meta"))
    assert "Table 3" in Path(found["tables"]["page"]).read_text()

    ledger = (tmp_path / "runs/t-rfmeta-to_M-s0/ledger.jsonl").read_text()
    again = rfmeta("loo", path, *options)
    assert json.loads(again.out)["evaluations"] == found["evaluations"]
    assert f"{len(in_order()) - 1} of them are finished, and are kept" in again.err
    assert (
        tmp_path / "runs/t-rfmeta-to_M-s0/ledger.jsonl"
    ).read_text() == ledger  # the target was not read again
