"""No text that is printed holds a credential, and texts without one stay as they are."""

from __future__ import annotations

import pytest

from rfmeta_dist.core.credentials import hidden, in_command, in_text, is_secret, masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://s3/b?X-Amz-Signature=ab12cd34&x=1", "GET http://s3/b?X-Amz-Signature=***&x=1"),
        ("http://s3/b?a=1&X-Amz-Security-Token=FwoG/zz+q=='", "http://s3/b?a=1&X-Amz-Security-Token=***'"),
        ("{'Authorization': 'Bearer 0123456789abcdef'}", "{'Authorization': 'Bearer ***'}"),
        (
            "'AWS4-HMAC-SHA256 Credential=AKIA/2026/s3, Signature=ab12' was sent",
            "'AWS4-HMAC-SHA256 ***' was sent",
        ),
        ("Basic bWx1c2VyOnBhc3M=", "Basic ***"),
    ],
)
def test_signed_urls_and_headers_are_masked(text, shown):
    assert masked(text) == shown


def test_values_of_secret_variables_are_masked_wherever_they_stand(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalr/XUtn+FEMI")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "/run/secrets/token")
    monkeypatch.setenv("OTHER_TOKEN", "true")
    said = masked("key wJalr/XUtn+FEMI and 0123456789abcdef from /run/secrets/token is true")
    assert said == "key *** and *** from /run/secrets/token is true"


@pytest.mark.parametrize(
    "text",
    [
        "give the token with RAY_AUTH_TOKEN, or a basic one",
        "tokens=3; secret sharing; s3://faces/token=1/x",
        "see http://127.0.0.1:8265/api?job=3",
        "see http://[::1]:8265/a@b",
        "Basic Constraints of CA cert; a bearer certificate; basic training",
    ],
)
def test_other_texts_stay(text):
    assert masked(text) == text


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "RAY_AUTH_TOKEN", "MLFLOW_TRACKING_PASSWORD",
     "WANDB_API_KEY", "apiKey", "db-password", "DB_PASS", "AZURE_STORAGE_CONNECTION_STRING", "HF_TOKEN"],
)  # fmt: skip
def test_a_credential_is_known_by_its_name(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "AWS_WEB_IDENTITY_TOKEN_FILE", "TOKENIZERS_PARALLELISM",
     "SECRET_NAME", "AWS_ENDPOINT_URL", "OMP_NUM_THREADS", "RAY_ENABLE_K8S_TOKEN_AUTH", "KEYS", "AUTHOR",
     "max-tokens", "model.tokens", "token_dim", "tokenizer", "password-file", "GOOGLE_APPLICATION_CREDENTIALS"],
)  # fmt: skip
def test_a_place_or_setting_is_no_credential(name):
    assert not is_secret(name)


@pytest.mark.parametrize(
    "command",
    [
        "TOKENIZERS_PARALLELISM=false main --max-tokens 5 --tokenizer x",
        "AWS_SECRET_ACCESS_KEY=$KEY main --token ${TOKEN} --password-file p",
        "main --db postgres://host/db git+ssh://git@host/r redis://:$(PASSWORD)@host https://${USER}:${TOKEN}@host/simple",
        "main token secret",
    ],
)
def test_names_that_only_look_alike_and_references_are_taken(command):
    assert in_command(command) is None
    assert in_text(command) is None


def test_what_other_peoples_jobs_contain_is_hidden():
    command = "PGPASSWORD=a1b2 main --token c3d4 --set x=1 s3://k:e5f6@host/x"
    assert hidden(command) == "PGPASSWORD=*** main --token *** --set x=1 s3://***@host/x"
