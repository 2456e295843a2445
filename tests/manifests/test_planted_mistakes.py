"""A planted mistake is found at its line and field, with a remedy that names what to write."""

from __future__ import annotations

import pytest

from tests.manifests.planting import ALL, CLUSTER, MISTAKES, plant

HEAD = "spec.headGroupSpec.template.spec.containers[0]"


@pytest.mark.parametrize("name", ALL)
def test_a_correct_manifest_has_no_finding(name):
    assert plant(ALL[name], "apiVersion", "apiVersion").found == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_with_line_field_and_remedy(name):
    mistake = MISTAKES[name]
    planted = plant(ALL[mistake["manifest"]], mistake["old"], mistake["new"])
    about = [f for f in planted.found if f.field == mistake["field"] and mistake["remedy"] in f.remedy]
    assert [f.kind for f in about] == [mistake["kind"]], planted.found
    assert about[0].line == planted.line + mistake.get("below", 0)


@pytest.mark.parametrize("name", [name for name in MISTAKES if "hunter2" in MISTAKES[name]["new"]])
def test_no_finding_shows_a_credential(name):
    mistake = MISTAKES[name]
    shown = " ".join(map(str, plant(ALL[mistake["manifest"]], mistake["old"], mistake["new"]).found))
    assert shown
    assert "hunter2" not in shown


def test_a_group_without_replicas_gets_no_workers():
    fixed = CLUSTER.replace("enableInTreeAutoscaling: true", "enableInTreeAutoscaling: false")
    assert "add replicas" in plant(fixed, "      replicas: 2\n", "").at("spec.workerGroupSpecs[0]").remedy


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (
            f"image: registry.local/faces@sha256:{'0123456789abcdef' * 4}",
            "image: faces:latest",
            f"{HEAD}.image",
        ),
        (
            "memory: 4Gi}\n              limits",
            "memory: 2Gi}\n              limits",
            f"{HEAD}.resources.requests.memory",
        ),
        ("replicas: 2", "replicas: 9", "spec.workerGroupSpecs[0].replicas"),
    ],
)
def test_advice_is_told_from_errors(old, new, field):
    planted = plant(CLUSTER, old, new)
    assert planted.at(field).kind == "advice"
    assert planted.at(field).line == planted.line
