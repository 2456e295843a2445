"""Invalid paths give an error in one line, and credentials in URLs are never printed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from rfmeta_dist.config import load as configuration
from rfmeta_dist.core.credentials import masked
from rfmeta_dist.core.errors import ConfigError, RfmetaError
from rfmeta_dist.core.places import absolute
from rfmeta_dist.storage import open_store

SECRET = "wJalr/XUtn+FEMI"
URLS = [
    f"s3://AKIA:{SECRET}@faces/demo",
    f"s3://AKIA:{SECRET}",
    f"s3://:{SECRET}@faces",
    "s3://AKIA@faces/demo",
    f"s3a://AKIA:{SECRET}@faces/demo",
    f"S3://AKIA:{SECRET}@faces/demo",
    f"https://AKIA:{SECRET}@store.example/faces",
    f"file://user:{SECRET}@host/folder",
]


def config(place: str) -> dict[str, object]:
    return {"run": {"name": "r"}, "data": {"prefix": place, "sources": ["A", "B"], "target": "C"}}


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("use", [open_store, lambda url: configuration.check(config(url), "test")])
def test_a_url_with_credentials_is_refused_and_not_printed(use, url: str):
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY") as caught:
        use(url)
    for part in ("AKIA", SECRET, SECRET.partition("/")[0], SECRET.partition("/")[2]):
        assert part not in str(caught.value)


@pytest.mark.parametrize("url", [f"http://AKIA:{SECRET}@127.0.0.1:9/", "http://wJalr@127.0.0.1:9"])
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_with_credentials_is_refused_and_not_printed(monkeypatch, name: str, url: str):
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigError, match="the S3 endpoint") as caught:
        open_store("s3://faces/demo").read("x")
    assert SECRET.partition("/")[0] not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3://faces/team@site/demo",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/faces/demo",
        "s3://faces/a:b@c",
    ],
)
def test_what_is_no_credential_passes(url: str):
    assert open_store(url).url == url
    assert masked(f"{url} at http://127.0.0.1:9000/a@b") == f"{url} at http://127.0.0.1:9000/a@b"


def test_no_error_of_ours_shows_the_credentials_of_a_url():
    error = RfmetaError(f"proxy http://me:{SECRET}@proxy.example:80 is down", f"see s3://k:{SECRET}@b")
    assert str(error) == "proxy http://***@proxy.example:80 is down; see s3://***@b"
    assert str(copy.copy(error)) == str(error)  # the way between Ray's processes
    assert SECRET not in repr(error)


@pytest.mark.parametrize("path", ["~nosuchuser/x", "~nosuchuser", "a\0b"])
@pytest.mark.parametrize("use", [open_store, absolute, lambda path: configuration.check(config(path), "test")])
def test_a_path_that_cannot_be_is_told_in_a_line(use, path: str):
    with pytest.raises(ConfigError) as caught:
        use(path)
    assert "\0" not in str(caught.value)


def test_the_field_with_the_path_is_named():
    with pytest.raises(ConfigError, match=r"data\.prefix: .*~nosuchuser.*whole path"):
        configuration.check(config("~nosuchuser/x"), "test")


def test_without_a_home_folder_the_whole_path_is_asked_for(monkeypatch):
    monkeypatch.delenv("HOME", raising=False)

    def nobody(_: int) -> None:
        raise KeyError("no such user")

    monkeypatch.setattr("pwd.getpwuid", nobody)  # as in a container that runs under a number without a name
    with pytest.raises(ConfigError, match="write the whole path"):
        open_store("~/faces")


def test_links_in_a_circle_are_told(tmp_path: Path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    try:
        absolute(tmp_path / "a")
    except ConfigError as error:
        assert "circle" in str(error)  # noqa: PT017  newer Pythons take such a path
