"""With a web proxy in the environment, what runs on this machine is reached, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfmeta_dist.storage import open_store
from tests.s3server import serving

NOWHERE = "http://127.0.0.1:9"
PROXIES = [spelling for name in ("http_proxy", "https_proxy", "all_proxy") for spelling in (name, name.upper())]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", *PROXIES):
        monkeypatch.setenv(name, "")  # so that what the test leaves is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("exempt", [None, "intranet.example"])
def test_a_store_on_loopback_is_reached_directly(monkeypatch, host: str, exempt: str | None):
    for name in PROXIES:
        monkeypatch.setenv(name, NOWHERE)
    if exempt:
        monkeypatch.setenv("NO_PROXY", exempt)
    with serving() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint.replace("127.0.0.1", host))
        open_store("s3://faces").write("x", b"content")
        assert server.objects == {"faces/x": b"content"}


def test_a_store_elsewhere_still_goes_through_the_proxy(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store.example")
    with serving() as server:
        monkeypatch.setenv("http_proxy", server.endpoint)
        open_store("s3://faces").write("x", b"content")
        assert [request.host for request in server.requests] == ["store.example"]


CHILD = (
    "from rfmeta_dist.storage import open_store; import os, urllib.request;"
    "open_store('s3://rfmeta').write('x', b'content');"
    "urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/healthz', timeout=5).close();"
    "print('reached', os.environ['no_proxy'])"
)


def test_the_embedded_server_and_its_command_do_without_the_proxy(tmp_path: Path):
    """The child asks with a client that knows nothing of ours too."""
    rfmeta = [sys.executable, "-c", "from rfmeta_dist.cli import main; main()"]
    settings = dict.fromkeys(PROXIES, NOWHERE) | {
        "NO_PROXY": "intranet.example",
        # What a user has set for another store must not count for this one.
        "AWS_ENDPOINT_URL_S3": "http://store.example",
        "AWS_S3_ADDRESSING_STYLE": "virtual",
        "AWS_PROFILE": "nobody",
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [*rfmeta, "s3", str(tmp_path / "s3"), "--", sys.executable, "-c", CHILD],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("reached intranet.example,")
