"""`rfmeta jobs`: list, show, log, stop and wait; and addresses of clusters as people write them."""

from __future__ import annotations

import json

import pytest

from rfmeta_dist.cluster.jobs import limits
from rfmeta_dist.cluster.jobs.address import cluster_url
from rfmeta_dist.cluster.jobs.client import refusal
from rfmeta_dist.core.errors import ConfigError
from tests.jobs_api import job_details, jobs_api

CONFIG, CLUSTER = 2, 6
SECRETS = ("planted-1", "planted-2", "planted-3")
JOBS = [
    job_details("synth-1800000000-0", "SUCCEEDED", code=0, start=1_800_000_000),
    job_details(
        "tune-1800000100-0",
        start=1_800_000_100,
        metadata={"owner": "team", "api_token": SECRETS[0]},
        runtime_env={"env_vars": {"RFMETA_TRACE": "tune-1800000100", "WORD": SECRETS[1]}},
        entrypoint=f"PASSWORD={SECRETS[2]} rfmeta tune",
    ),
    job_details("tune-1800000200-0", "FAILED", code=7, start=1_800_000_200, message="it failed\nlog"),
    job_details("notebook", start=1_800_000_050)
    | {"submission_id": None, "job_id": "02000000", "type": "DRIVER"},
]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUIET_S", "RETRY_S", "LOST_S", "POLL_S", "STOP_S", "PENDING_S"):
        monkeypatch.setattr(limits, name, 0.1)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def test_jobs_are_listed_newest_first_and_without_what_is_secret(rfmeta):
    with jobs_api(others=JOBS) as api:
        ending = rfmeta("jobs", "ls", "--json", "--address", api.address)
        shown = rfmeta("jobs", "ls", "--address", api.address)
        one = rfmeta("jobs", "show", "tune-18000001", "--address", f"{api.address}/#/jobs")
        whole = rfmeta("jobs", "show", "tune-1800000100-0", "--address", api.address, "--json")
    listed = json.loads(ending.out)
    assert [job["job"] for job in listed] == [
        *("tune-1800000200-0", "tune-1800000100-0", "02000000", "synth-1800000000-0")
    ]
    assert [job["exit_code"] for job in listed] == [7, None, None, 0]
    assert (listed[1]["trace"], listed[1]["runtime_env"]["env_vars"]) == (
        "tune-1800000100",
        ["RFMETA_TRACE", "WORD"],
    )
    assert (listed[0]["started"], listed[0]["ended"]) == (1_800_000_200, 1_800_000_290)
    assert "0:01:30" in shown.out
    assert "team" in shown.out
    assert all(words in one.out for words in ("RUNNING", "PASSWORD=*** rfmeta tune", "tune-1800000100", "WORD"))
    assert json.loads(whole.out)["metadata"] == {"owner": "team", "api_token": "***"}
    everything = "".join(text for end in (ending, shown, one, whole) for text in (end.out, end.err))
    assert not [secret for secret in SECRETS if secret in everything]


def test_a_cluster_without_jobs_says_so(rfmeta):
    with jobs_api() as api:
        assert "has no jobs" in rfmeta("jobs", "ls", "--address", api.address).err
        assert json.loads(rfmeta("jobs", "ls", "--json", "--address", api.address).out) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("tune", "2 jobs begin with tune: tune-1800000100-0, tune-1800000200-0"),
        ("tuna-1800000100-0", "use one of these: tune-1800000100-0"),
        ("???", "rfmeta jobs ls"),
        ("", "rfmeta jobs ls"),
        ("../../version", "rfmeta jobs ls"),
    ],
)
@pytest.mark.parametrize("verb", ["show", "stop"])
def test_a_job_that_is_not_there_is_named_with_those_that_are(rfmeta, verb, given, words):
    with jobs_api(others=JOBS) as api:
        ending = rfmeta("jobs", verb, given, "--address", api.address)
    assert (ending.code, words in ending.error, api.stopped) == (CONFIG, True, []), ending.err


def test_logs_are_shown_and_followed_and_the_exit_code_is_the_jobs(rfmeta):
    with jobs_api(others=JOBS, log=["grün 🙂\n", "x" * 3_000_000 + "\n"]) as api:
        shown = rfmeta("jobs", "logs", "synth", "--address", api.address)
        asked = rfmeta("jobs", "logs", "synth", "--json", "--address", api.address)
        followed = rfmeta("jobs", "logs", "tune-18000002", "--follow", "--address", api.address)
        other = rfmeta("jobs", "logs", "02000000", "--address", api.address)
    assert shown.code == 0
    assert shown.out == followed.out == json.loads(asked.out)["log"]
    assert shown.out.startswith("grün 🙂\nxxx")
    assert (followed.code, "failed: it failed\n" in followed.err) == (7, True)
    assert (other.code, "not submitted through the Jobs API" in other.error) == (CONFIG, True)


def test_a_job_is_stopped_and_waited_for(rfmeta):
    with jobs_api(others=JOBS) as api:
        stopped = rfmeta("jobs", "stop", "tune-18000001", "--address", api.address, "--json")
        again = rfmeta("jobs", "stop", "tune-18000001", "--address", api.address)
        waited = rfmeta("jobs", "wait", "tune-18000001", "--address", api.address)
        failed = rfmeta("jobs", "wait", "tune-18000002", "--address", api.address, "--json")
    assert api.stopped == ["tune-1800000100-0"]
    assert json.loads(stopped.out) == {"job": "tune-1800000100-0", "status": "STOPPED", "exit_code": 143}
    assert "has ended: STOPPED" in stopped.err
    assert (again.code, "had ended already: STOPPED" in again.err) == (0, True)
    assert (waited.code, failed.code) == (143, 7)
    assert json.loads(failed.out) == {"job": "tune-1800000200-0", "status": "FAILED", "exit_code": 7}


def test_a_driver_that_a_signal_has_ended_has_the_exit_code_of_a_shell(rfmeta):
    with jobs_api(others=[job_details("j-1-0", "FAILED", code=-9)]) as api:
        assert rfmeta("jobs", "wait", "j-1-0", "--address", api.address).code == 137


def test_waiting_has_an_end_of_its_own(rfmeta):
    with jobs_api(others=JOBS) as api:
        ending = rfmeta("jobs", "wait", "tune-18000001", "--timeout", "0.2", "--address", api.address)
    assert (ending.code, "keeps running" in ending.err) == (124, True), ending.err


@pytest.mark.parametrize(
    ("status", "words"), [("PENDING", "Ray cannot stop"), ("RUNNING", "after it was asked")]
)
def test_a_job_that_does_not_stop_is_said_to_run_on(rfmeta, status, words):
    with jobs_api(others=[job_details("j-1-0", status)], stops=False) as api:
        ending = rfmeta("jobs", "stop", "j-1-0", "--address", api.address)
    assert (ending.code, words in ending.error, api.stopped) == (CLUSTER, True, ["j-1-0"]), ending.err
    assert ("900 s" in ending.error) == (status == "PENDING")


@pytest.mark.parametrize("verb", ["ls", "show j", "logs j", "stop j", "wait j"])
def test_no_token_and_no_cluster_are_told_apart(rfmeta, verb):
    with jobs_api(token="t" * 64) as api:
        refused = rfmeta("jobs", *verb.split(), "--address", api.address)
    gone = rfmeta("jobs", *verb.split(), "--address", api.address)
    assert (refused.code, "RAY_AUTH_TOKEN" in refused.error) == (CLUSTER, True), refused.err
    assert (gone.code, "check --address" in gone.error) == (CLUSTER, True), gone.err


def test_an_address_in_an_error_is_not_mistaken_for_a_refusal():
    said = "HTTPConnectionPool(host='auth', port=8401): Max retries exceeded with url: /api/jobs/x-1796403000-0"
    assert "check --address" in str(refusal("http://auth:8401", ConnectionError(said)))


ADDRESSES = {
    "head:8265": "http://head:8265",
    "http://head:8265/": "http://head:8265",
    "https://ray.example.org/cluster/": "https://ray.example.org/cluster",
    "http://head:8265/#/jobs": "http://head:8265",
    "[::1]:8265": "http://[::1]:8265",
    " http://head:8265\n": "http://head:8265",
}


@pytest.mark.parametrize(("given", "url"), ADDRESSES.items(), ids=ADDRESSES)
def test_an_address_is_understood_as_people_write_it(monkeypatch, given, url):
    assert cluster_url(given) == url
    monkeypatch.setenv("RAY_ADDRESS", "http://other:1")
    assert cluster_url(None) == "http://other:1"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", given)
    assert cluster_url(None) == url


@pytest.mark.parametrize(
    "given", ["ray://head:10001", "auto", "ftp://head", "http://", "head:port", "http://a b"]
)
def test_an_address_of_something_else_is_refused(given):
    with pytest.raises(ConfigError, match=r"http://head:8265"):
        cluster_url(given)
