"""What a store refuses reaches the user in its own words, with a remedy that fits them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from rfmeta_dist.core.errors import ConfigError, StorageError
from rfmeta_dist.storage import AccessError, open_store
from tests.s3server import Reply, Request, Server, serving


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, and none of the developer's own settings; nothing is sent twice."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setattr("rfmeta_dist.storage.s3.time.sleep", lambda _: None)


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def server(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The module's server, as new; a new one for each test would need a new client too, which takes longer."""
    running.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
    return running


def refused(server: Server, reply: Reply, use: str = "read") -> StorageError:
    server.refuse = lambda _: reply
    store = open_store("s3://faces/demo")
    with pytest.raises(StorageError) as caught:
        {"read": store.read, "exists": store.exists, "write": lambda n: store.write(n, b"x")}[use]("x")
    return caught.value


REFUSALS = [
    (403, "SignatureDoesNotMatch", "The signature differs", "AWS_SECRET_ACCESS_KEY"),
    (403, "RequestTimeTooSkewed", "The difference is too large", "clock"),
    (403, "InvalidAccessKeyId", "No such key", "AWS_ACCESS_KEY_ID"),
    (403, "AccessDenied", "No policy allows it", "allowed to read, list"),
    (403, "AccessDenied", "not authorized to perform: kms:Decrypt", "KMS key"),
    (400, "KMS.DisabledException", "it is disabled", "KMS key"),
    (403, "AllAccessDisabled", "All access is off", "provider"),
    (400, "ExpiredToken", "The token has expired", "AWS_SESSION_TOKEN"),
    (403, "SecondLevelDomainForbidden", "Please use virtual hosted style", "AWS_S3_ADDRESSING_STYLE=virtual"),
    (400, "InvalidPathAccess", "path-style requests are off", "AWS_S3_ADDRESSING_STYLE=virtual"),
    (400, "InvalidBucketName", "The bucket is not valid", "a bucket's name"),
    (411, "MissingContentLength", "You must provide it", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"),
    (400, "XAmzContentSHA256Mismatch", "It differs", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required"),
    (
        400,
        "InvalidArgument",
        "Unsupported x-amz-checksum-crc32",
        "AWS_REQUEST_CHECKSUM_CALCULATION=when_required",
    ),
    (501, "NotImplemented", "A header is not implemented", "put-if-absent"),
    (405, "MethodNotAllowed", "The method is not allowed", "web console"),
    (507, "XMinioStorageFull", "Storage is full", "free space"),
    (400, "Unheard", "of by anybody", "operator"),
]


@pytest.mark.parametrize(
    ("status", "code", "message", "remedy"), REFUSALS, ids=[r[1] + r[2][:6] for r in REFUSALS]
)
def test_a_refusal_is_told_in_the_stores_words_with_its_remedy(server, status, code, message, remedy):
    error = refused(server, Reply(status, code, message))
    assert code in error.problem
    assert message in error.problem
    assert remedy in error.remedy
    assert len(server.requests) == 1  # it would be refused again


def test_a_store_that_wants_virtual_hosts_does_not_blame_the_keys(server):
    error = refused(server, Reply(403, "SecondLevelDomainForbidden", "Please use virtual hosted style"))
    assert not isinstance(error, AccessError)
    assert "KEY" not in error.remedy


def test_the_region_that_the_store_expects_is_named(server):
    wanted = {"x-amz-bucket-region": "eu-west-3"}
    error = refused(server, Reply(400, "AuthorizationHeaderMalformed", "wrong region", headers=wanted))
    assert "AWS_REGION=eu-west-3" in error.remedy
    error = refused(server, Reply(301, "PermanentRedirect", "use the endpoint", headers=wanted))
    assert "AWS_REGION=eu-west-3" in error.remedy


def test_the_cause_is_told_although_the_answer_to_head_has_none(server):
    error = refused(server, Reply(403, "RequestTimeTooSkewed", "The difference is too large"), "exists")
    assert "The difference is too large" in error.problem
    assert "clock" in error.remedy


def test_what_a_store_says_cannot_steer_the_terminal(server):
    error = refused(server, Reply(400, "Odd", "red \x1b[31m\r\nerror forged"))
    assert "\x1b" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("use", ["read", "exists", "write"])
@pytest.mark.parametrize("status", [301, 307])
class TestRedirects:
    def test_one_without_a_target_ends(self, server, use, status):
        error = refused(server, Reply(status, body=b"<html>moved</html>"), use)
        assert str(status) in error.problem
        assert "AWS_ENDPOINT_URL" in error.remedy
        assert len(server.requests) <= 2

    def test_one_to_nobody_names_whom(self, server, use, status):
        error = refused(server, Reply(status, headers={"Location": "http://127.0.0.1:1/faces"}), use)
        assert "redirects to 127.0.0.1:1," in error.problem
        assert "set AWS_ENDPOINT_URL" in error.remedy

    def test_a_circle_ends(self, server, use, status):
        error = refused(server, Reply(status, headers={"Location": server.endpoint}), use)
        assert "redirects in a circle" in error.problem
        assert len(server.requests) <= 20


def test_a_web_page_is_not_taken_for_s3(server):

    server.refuse = lambda _: Reply(200, body=b"<!doctype html><title>Console</title>")
    with pytest.raises(StorageError, match="not of a web console"):
        open_store("s3://faces").list()


def test_checksums_can_be_switched_off(server, monkeypatch):
    def no_checksums(request: Request) -> Reply | None:
        asks = any(name.startswith(("x-amz-checksum", "x-amz-sdk-checksum")) for name in request.headers)
        return (
            Reply(400, "InvalidArgument", "Unsupported header x-amz-sdk-checksum-algorithm") if asks else None
        )

    server.refuse = no_checksums
    store = open_store("s3://faces/demo")
    with pytest.raises(StorageError, match="AWS_REQUEST_CHECKSUM_CALCULATION=when_required"):
        store.write("x", b"content")
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    store.write("x", b"content")
    store.create("y", b"content")
    assert store.list() == ["x", "y"]


def test_the_checksums_of_answers_can_be_switched_off(server, monkeypatch):
    wrong = Reply(200, body=b"content", headers={"x-amz-checksum-crc32": "AAAAAA=="})
    server.refuse = lambda request: wrong if request.method == "GET" else None
    store = open_store("s3://faces/demo")
    with pytest.raises(StorageError, match="AWS_RESPONSE_CHECKSUM_VALIDATION=when_required"):
        store.read("x")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    assert store.read("x") == b"content"


@pytest.mark.parametrize("how", ["environment", "profile", "named profile"])
def test_buckets_are_asked_for_in_the_style_that_is_set(how, tmp_path, monkeypatch):
    """The store is reached through a proxy, since its names for buckets do not exist."""
    section = "profile shop" if how == "named profile" else "default"
    if how == "environment":
        monkeypatch.setenv("AWS_S3_ADDRESSING_STYLE", "virtual")
    else:
        config = tmp_path / "config"
        config.write_text(f"[{section}]\nregion = cn-test\ns3 =\n    addressing_style = virtual\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    if how == "named profile":
        monkeypatch.setenv("AWS_PROFILE", "shop")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.example")
    with serving() as server:
        monkeypatch.setenv("http_proxy", server.endpoint)
        open_store("s3://faces/demo").write("x", b"content")
        assert server.requests[-1].host == "faces.store.example"
        assert server.objects == {"faces/demo/x": b"content"}


def test_an_endpoint_of_the_profile_gets_paths(tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with serving(domain="nothing") as server:
        local = server.endpoint.replace("127.0.0.1", "localhost")
        (tmp_path / "config").write_text(f"[default]\nendpoint_url = {local}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        open_store("s3://faces/demo").write("x", b"content")
        assert server.objects == {"faces/demo/x": b"content"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_S3_ADDRESSING_STYLE", "vhost"), ("AWS_PROFILE", "nobody"), ("AWS_ENDPOINT_URL", "store:9000")],
)
def test_a_wrong_setting_is_named(server, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises((StorageError, ConfigError)) as caught:
        open_store("s3://faces/demo").read("x")
    assert name in str(caught.value)
    assert value in str(caught.value)
