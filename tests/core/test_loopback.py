"""Loopback is reached without a proxy, whatever the environment says, and nothing else changes."""

from __future__ import annotations

import os
import urllib.request

import pytest
from botocore.utils import should_bypass_proxies
from requests.utils import should_bypass_proxies as requests_bypass

from rfmeta_dist.core.loopback import bypass_proxies

PROXIES = [f"{name}_proxy" for name in ("http", "https", "all", "grpc")]
NAMES = [*PROXIES, "no_proxy", "no_grpc_proxy"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        for spelling in (name, name.upper()):
            monkeypatch.setenv(spelling, "")  # so that what the test leaves is undone
            monkeypatch.delenv(spelling)
    return monkeypatch


@pytest.mark.parametrize(
    "exempt", [{}, {"no_proxy": "a.example"}, {"NO_PROXY": "a.example"}, {"no_proxy": "::1"}]
)
@pytest.mark.parametrize("proxy", [name for pair in PROXIES for name in (pair, pair.upper())])
def test_every_client_bypasses_every_spelling(environment, proxy: str, exempt: dict[str, str]):
    environment.setenv(proxy, "http://127.0.0.1:9")
    for name, value in exempt.items():
        environment.setenv(name, value)
    bypass_proxies("http://127.0.0.2:80")
    for host in ("127.0.0.1:80", "localhost:80", "[::1]:80", "127.0.0.2:80", "bucket.localhost:80"):
        assert urllib.request.proxy_bypass(host)
        assert should_bypass_proxies(f"http://{host}")
        assert requests_bypass(f"http://{host}", no_proxy=None)
    assert not urllib.request.proxy_bypass("b.example")
    if "a.example" in exempt.values():
        assert urllib.request.proxy_bypass("a.example")


def test_twice_is_once_and_both_names_keep_their_own(environment):
    environment.setenv("HTTPS_PROXY", "http://proxy.example")
    environment.setenv("no_proxy", "a.example, b.example")
    environment.setenv("NO_PROXY", "c.example")
    environment.setenv("no_grpc_proxy", "d.example")
    bypass_proxies()
    after = dict(os.environ)
    bypass_proxies()
    assert dict(os.environ) == after
    assert after["no_proxy"].startswith("a.example,b.example,localhost")
    assert after["NO_PROXY"].startswith("c.example,localhost")
    assert after["no_grpc_proxy"].startswith("d.example,localhost")


def test_what_exempts_all_hosts_stays(environment):
    environment.setenv("http_proxy", "http://proxy.example")
    environment.setenv("no_proxy", "*")
    bypass_proxies()
    assert os.environ["no_proxy"] == "*"


def test_without_a_proxy_nothing_is_set(environment):
    bypass_proxies("http://127.0.0.1:80")
    assert not {"no_proxy", "NO_PROXY"} & os.environ.keys()


@pytest.mark.parametrize("url", ["http://store.example", "http://10.0.0.1:9000", "http://[::1", "store:9000"])
def test_other_hosts_are_not_exempt(environment, url: str):
    environment.setenv("http_proxy", "http://proxy.example")
    bypass_proxies(url)
    assert set(os.environ["no_proxy"].split(",")) == {"localhost", "127.0.0.1", "::1", "[::1]"}
