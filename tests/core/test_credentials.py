"""No text that is printed holds a credential, and texts without one stay as they are."""

from __future__ import annotations

import pytest

from rfmeta_dist.core.credentials import masked


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
    ],
)
def test_other_texts_stay(text):
    assert masked(text) == text
