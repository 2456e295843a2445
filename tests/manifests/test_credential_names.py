"""Names of credentials are told from names of places and settings, and placeholders from values."""

from __future__ import annotations

import pytest

from rfmeta_dist.manifests.rules.secrets import credential_name
from tests.manifests.planting import CORE, plant


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "RAY_AUTH_TOKEN", "MLFLOW_TRACKING_PASSWORD",
     "WANDB_API_KEY", "apiKey", "db-password", "AZURE_STORAGE_CONNECTION_STRING", "HF_TOKEN"],
)  # fmt: skip
def test_a_credential_is_known_by_its_name(name):
    assert credential_name(name)


@pytest.mark.parametrize(
    "name",
    ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "AWS_WEB_IDENTITY_TOKEN_FILE", "TOKENIZERS_PARALLELISM",
     "SECRET_NAME", "AWS_ENDPOINT_URL", "OMP_NUM_THREADS", "RAY_ENABLE_K8S_TOKEN_AUTH", "KEYS", "AUTHOR"],
)  # fmt: skip
def test_a_place_or_setting_is_no_credential(name):
    assert not credential_name(name)


@pytest.mark.parametrize("value", ["replace-me", "changeme", "<token>", "your-token", "", "xxxx", "${TOKEN}"])
def test_a_placeholder_is_no_credential(value):
    assert plant(CORE, "auth_token: replace-me", f"auth_token: '{value}'").found == []


@pytest.mark.parametrize("value", ["my-set-of-8f3", "8f3a", "yours", "changeling-8f3", "xx"])
def test_what_resembles_a_placeholder_is_a_credential(value):
    assert (
        plant(CORE, "auth_token: replace-me", f"auth_token: {value}").at("stringData.auth_token").kind == "risk"
    )
