"""The commands of the main path as typed: they succeed, and leave and print what they promise."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.config.shipped import DEMO_SHARDS
from rfmeta_dist.data.shards.manifest import Manifest
from rfmeta_dist.storage import open_store
from tests.stored import SHARDS

STEPS, EVERY = 7, 3
SMALL = ("model.width=0.05", "data.batch=4", "training.workers=1", "evaluation.recalibration_batches=1")


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


@pytest.fixture
def oci(config: Path, tmp_path: Path) -> Path:
    """A configuration of the four stored domains."""
    tree = yaml.safe_load(config.read_text())
    tree["data"] |= {"prefix": str(SHARDS), "sources": ["O", "C", "I"], "target": "M", "image_size": 32}
    tree["training"] |= {"steps": STEPS, "checkpoint_every": EVERY, "workers": 1}
    path = tmp_path / "oci.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


def sealed(run: Path) -> list[tuple[str, str]]:
    rows = map(json.loads, (run / "ledger.jsonl").read_text().splitlines())
    return [(row["domain"], row["purpose"]) for row in rows if row["sealed"]]


def test_a_run_is_trained_judged_and_reported(rfmeta, oci: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs/r"
    trained = rfmeta("train", oci, "--json")
    assert trained.code == 0, trained.err
    assert json.loads(trained.out) == {
        "run": str(run),
        "protocol": "O&C&I→M",
        "steps": STEPS,
        "notices": [],
    }
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == list(range(STEPS))
    # Every third step has a checkpoint, and the last one; the newest two are kept.
    assert sorted(path.name for path in run.glob("step-*")) == ["step-0000006", "step-0000007"]
    assert sealed(run) == []

    again = rfmeta("train", oci)
    assert again.code == 0, again.err
    assert "is trained already; there is nothing to train" in again.err
    assert f"judge it: rfmeta evaluate {run}" in again.err

    judged = rfmeta("evaluate", run, "--json")
    assert judged.code == 0, judged.err
    result = json.loads(judged.out)
    assert result == json.loads((run / "evaluation.json").read_text())
    assert (result["target"], result["sources"], result["step"]) == ("M", ["O", "C", "I"], STEPS)
    assert sealed(run) == [("M", "evaluation")]

    out = tmp_path / "pages/page.html"
    for arguments, page in (((), run / "report.html"), (("--out", out), out)):
        reported = rfmeta("report", run, "--json", *arguments)
        assert reported.code == 0, reported.err
        assert json.loads(reported.out) == {"report": str(page)}
        html = page.read_text()
        assert "O&amp;C&amp;I→M" in html
        assert f"{100 * result['figures']['video']['HTER']['value']:.1f}" in html
    assert sealed(run) == [("M", "evaluation")]  # a page is no look at the target


@pytest.mark.drill  # the demo below does all of it but generating
def test_the_demo_goes_from_nothing_to_a_page(rfmeta, tmp_path: Path) -> None:
    example = rfmeta("example", "demo")
    assert example.code == 0
    (tmp_path / "demo.yaml").write_text(example.out)
    settings = options(
        *SMALL, f"run.folder={tmp_path}/runs", "training.steps=4", "training.checkpoint_every=100"
    )
    ending = rfmeta("demo", tmp_path / "demo.yaml", "--scale", "tiny", *settings)
    assert ending.code == 0, ending.err
    run = tmp_path / "runs/demo"
    for line in (
        "frames will take about",
        "1/4 S3 server at http://127.0.0.1:",
        "2/4 training rfmeta on O&C&I→M with 1",
        "3/4",
        "4/4",
    ):
        assert line in ending.err
    assert f"the report is {run}/report.html" in " ".join(ending.err.split())
    assert "O&C&I→M" in ending.out
    figures = json.loads((run / "evaluation.json").read_text())["figures"]["video"]
    assert f"HTER {100 * figures['HTER']['value']:.1f} %" in " ".join(ending.err.split())
    assert (run / "report.html").read_text().startswith("<!")
    # Steps fewer than `checkpoint_every`: the one checkpoint is that of the last step.
    assert [path.name for path in run.glob("step-*")] == ["step-0000004"]
    assert sealed(run) == [("M", "evaluation")]
    shutil.rmtree(tmp_path / "runs/s3")


def test_the_demo_trains_on_the_shards_of_the_checkout(rfmeta, tmp_path: Path) -> None:
    settings = options(
        *SMALL, f"run.folder={tmp_path}/runs", "training.steps=2", "evaluation.target_split=validation"
    )
    ending = rfmeta("demo", *settings)
    assert ending.code == 0, ending.err
    for line in ("1/4 S3 server at http://127.0.0.1:", "2/4 training rfmeta on O&C&I→M with 1", "3/4", "4/4"):
        assert line in ending.err
    assert "copying the faces of O, C, I, M from" in " ".join(ending.err.split())
    assert "generating" not in ending.err
    run, shards = tmp_path / "runs/demo", open_store(str(DEMO_SHARDS))
    pinned = json.loads((run / "manifests.json").read_text())
    assert pinned == {name: Manifest.open(shards, name).fingerprint for name in "OCIM"}
    assert "What to try next" in ending.err
    assert f"the report is {run}/report.html" in " ".join(ending.err.split())
    assert (run / "report.html").read_text().startswith("<!")
    assert sealed(run) == [("M", "evaluation")]
    again = f"rfmeta demo {shlex.join(settings)}"
    assert f"{again} --set run.name=demo-O --set data.target=O" in " ".join(ending.err.split())
    shutil.rmtree(tmp_path / "runs/s3")
