"""Placeholders are told from credentials, and credentials are found wherever they stand in a manifest."""

from __future__ import annotations

import pytest

from rfmeta_dist.manifests.check import findings
from tests.manifests.planting import CORE, plant


@pytest.mark.parametrize("value", ["replace-me", "changeme", "<token>", "your-token", "", "xxxx", "${TOKEN}"])
def test_a_placeholder_is_no_credential(value):
    assert plant(CORE, "auth_token: replace-me", f"auth_token: '{value}'").found == []


@pytest.mark.parametrize("value", ["my-set-of-8f3", "8f3a", "yours", "changeling-8f3", "xx"])
def test_what_resembles_a_placeholder_is_a_credential(value):
    assert (
        plant(CORE, "auth_token: replace-me", f"auth_token: {value}").at("stringData.auth_token").kind == "risk"
    )


def job(entrypoint: str) -> list[str]:
    text = f"""apiVersion: ray.io/v1
kind: RayJob
metadata: {{name: j, annotations: {{note: on kubernetes}}}}
spec:
  clusterSelector: {{ray.io/cluster: c}}
  entrypoint: {entrypoint!r}
"""
    return [finding.problem for finding in findings(text, "job.yaml")]


def test_a_credential_in_a_command_is_found():
    assert job("PGPASSWORD=8f3a main") == ["the credential PGPASSWORD stands in clear in a command"]
    assert job("PGPASSWORD=$DB main --max-tokens 5") == []


def test_the_shell_that_checks_a_manifest_does_not_change_the_result(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "kubernetes")
    assert job("main") == []
