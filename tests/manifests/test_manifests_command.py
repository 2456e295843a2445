"""`rfmeta manifests` checks files, folders and standard input, and ends with 2 if something is wrong."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.manifests.planting import CLUSTER, CORE, CRON, JOB, plant

ROOT = Path(__file__).parents[2]
PLAIN = "apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {name: a}\nspec:\n  entrypoint: rfmeta demo\n"


def test_correct_files_end_with_0(rfmeta, tmp_path):
    (tmp_path / "a.yaml").write_text(CLUSTER)
    (tmp_path / "b.yaml").write_text(CRON + "---\n" + CORE)
    ending = rfmeta("manifests", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert (ending.code, ending.out) == (0, "")
    assert "2 file(s) checked" in ending.err


def test_a_finding_is_one_line_with_file_line_field_and_remedy(rfmeta, tmp_path):
    (file := tmp_path / "job.yaml").write_text(JOB.replace("backoffLimit", "backOffLimit"))
    ending = rfmeta("manifests", file)
    line = JOB[: JOB.index("backoffLimit")].count("\n") + 1
    assert ending.code == 2
    said = f"{file}:{line}: error: spec.backOffLimit: this field is not known; did you mean backoffLimit?\n"
    assert ending.out == said
    assert "1 error(s)" in ending.err


def test_findings_are_also_json(rfmeta, tmp_path):
    (file := tmp_path / "job.yaml").write_text(JOB.replace("mode: token", "mode: disabled"))
    ending = rfmeta("manifests", file, "--json")
    (found,) = json.loads(ending.out)["findings"]
    assert ending.code == 2
    assert (found["source"], found["kind"], found["field"]) == (
        str(file), "risk", "spec.rayClusterSpec.authOptions.mode",
    )  # fmt: skip


def test_advice_alone_ends_with_0(rfmeta, tmp_path):
    (file := tmp_path / "a.yaml").write_text(CLUSTER.replace("replicas: 2", "replicas: 9"))
    ending = rfmeta("manifests", file)
    assert ending.code == 0
    assert ": advice: spec.workerGroupSpecs[0].replicas: " in ending.out


def test_standard_input_is_checked(rfmeta, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"apiVersion: v1\nkind: Podd\n")))
    ending = rfmeta("manifests", "-")
    assert ending.code == 2
    assert ending.out.startswith("standard input:2: error: kind: ")


def test_a_folder_is_checked_without_what_kustomizations_use(rfmeta, tmp_path):
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text("resources: [a.yaml]\npatches: [{path: patch.yaml}]\n")
    (tmp_path / "overlay/a.yaml").write_text(CORE)
    (tmp_path / "overlay/patch.yaml").write_text("kind: RayCluster\nspec: {}\n")
    (tmp_path / "alerts.yaml").write_text("groups: []\n")
    ending = rfmeta("manifests", tmp_path)
    assert (ending.code, ending.out) == (0, "")
    for name in ("overlay/kustomization.yaml", "overlay/patch.yaml", "alerts.yaml"):
        assert name in ending.err
    assert "1 file(s) checked" in ending.err


def test_a_plain_cluster_needs_no_description(rfmeta, tmp_path):
    (file := tmp_path / "job.yaml").write_text(PLAIN)
    assert rfmeta("manifests", file, "--plain-cluster").code == 0
    ending = rfmeta("manifests", file)
    assert ending.code == 2
    assert "clusterSelector: {ray.io/cluster: NAME}" in ending.out
    secret = plant(PLAIN, "rfmeta demo", "x\n  runtimeEnvYAML: 'env_vars: {A_TOKEN: hunter2}'", "submit")
    assert [finding.kind for finding in secret.found] == ["risk"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "none.yaml", "does not exist"),
        (lambda folder: folder, "has no file with manifests"),
        (lambda folder: _written(folder / "kustomization.yaml", b"resources: []"), "kubectl kustomize"),
        (lambda folder: _written(folder / "a.yaml", b"a: \xff"), "not text in UTF-8"),
    ],
)
def test_a_path_without_manifests_ends_with_2_and_a_remedy(rfmeta, tmp_path, make, words):
    ending = rfmeta("manifests", make(tmp_path))
    assert ending.code == 2
    assert words in ending.err
    assert "Traceback" not in ending.err


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_the_shipped_job_specs_suit_a_plain_cluster(rfmeta):
    ending = rfmeta("manifests", ROOT / "jobs", "--plain-cluster")
    assert (ending.code, ending.out) == (0, "")
