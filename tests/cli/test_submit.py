"""`rfmeta submit`: specs as people write them, and connections that fail while a job runs on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rfmeta_dist.cluster.jobs import limits
from tests.jobs_api import jobs_api

CONFIG, CLUSTER = 2, 6
LOG = "step 1\nstep 2\nstep 3\n"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"QUIET_S": 0.2, "RETRY_S": 0.1, "LOST_S": 1.0, "POLL_S": 0.05}.items():
        monkeypatch.setattr(limits, name, seconds)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def spec(folder: Path, text: str = "  entrypoint: 'true'", name: str = "night-run") -> Path:
    path = folder / "job.yaml"
    path.write_text(
        f"apiVersion: ray.io/v1\nkind: RayJob\nmetadata: {{name: {name}}}\nspec:\n{text}\n", "utf-8"
    )
    return path


ENTRY = "  entrypoint: main\n"
ENVIRONMENT = ENTRY + "  runtimeEnvYAML: |\n    "
TAKEN = {
    "whole number": (ENVIRONMENT + "env_vars: {OMP_NUM_THREADS: 1}", {"env_vars": {"OMP_NUM_THREADS": "1"}}),
    "as written": (
        ENVIRONMENT + "env_vars: {A: 1E-5, B: 007, C: 1_0}",
        {"env_vars": {"A": "1E-5", "B": "007", "C": "1_0"}},
    ),
    "truths": (
        ENVIRONMENT + "env_vars: {A: true, NO: NO, C: off}",
        {"env_vars": {"A": "true", "NO": "NO", "C": "off"}},
    ),
    "dates": (
        ENVIRONMENT + "env_vars: {A: 2026-01-01, B: 12:30:00}",
        {"env_vars": {"A": "2026-01-01", "B": "12:30:00"}},
    ),
    "empty": (ENVIRONMENT + "env_vars: {A: , B: '', C: null}", {"env_vars": {"A": "", "B": "", "C": "null"}}),
    "an empty part": (ENVIRONMENT + "env_vars:", {}),
    "a truth of Ray's own": (
        ENVIRONMENT + "pip: {packages: [a], pip_check: false}",
        {"pip": {"packages": ["a"], "pip_check": False}},
    ),
}


@pytest.mark.parametrize(("text", "environment"), TAKEN.values(), ids=TAKEN)
def test_variables_reach_the_cluster_as_the_words_that_were_written(rfmeta, tmp_path, text, environment):
    with jobs_api() as api:
        ending = rfmeta("submit", spec(tmp_path, text), "--address", api.address)
    assert ending.code == 0, ending.err
    sent = api.submitted[0]["runtime_env"]
    assert sent["env_vars"].pop("RFMETA_TRACE") == api.submitted[0]["submission_id"][:-2]
    assert {name: sent.get(name) for name in environment} == environment
    assert "env_vars" in environment or sent["env_vars"] == {}


def test_metadata_names_and_amounts_are_what_the_cluster_wants(rfmeta, tmp_path):
    text = (
        "  entrypoint: 0123\n  metadata: {seed: 3, ok: yes, at: 2026-01-01}\n  entrypointNumCpus: 1e0\n"
        "  entrypointNumGpus: 0\n  entrypointResources: '{\"disk\": 2}'\n  backoffLimit:\n"
    )
    with jobs_api() as api:
        ending = rfmeta("submit", spec(tmp_path, text, name="0123"), "--address", api.address, "--json")
    assert ending.code == 0, ending.err
    (sent,) = api.submitted
    assert sent["entrypoint"] == "0123"
    assert sent["metadata"] == {"seed": "3", "ok": "yes", "at": "2026-01-01"}
    assert (sent["entrypoint_num_cpus"], sent["entrypoint_resources"]) == (1.0, {"disk": 2.0})
    identifier = sent["submission_id"]
    assert json.loads(ending.out) == {"job": identifier, "exit_code": 0, "trace": identifier[:-2]}
    assert sent["runtime_env"]["env_vars"] == {"RFMETA_TRACE": identifier[:-2]}
    assert sent["submission_id"].startswith("0123-")
    assert LOG in ending.err


MISFITS = {
    "cpus": (ENTRY + "  entrypointNumCpus: one", "spec.entrypointNumCpus"),
    "cpus truth": (ENTRY + "  entrypointNumCpus: true", "spec.entrypointNumCpus"),
    "cpus below zero": (ENTRY + "  entrypointNumCpus: -1", "spec.entrypointNumCpus"),
    "cpus list": (ENTRY + "  entrypointNumCpus: [1]", "spec.entrypointNumCpus"),
    "cpus without end": (ENTRY + "  entrypointNumCpus: .inf", "spec.entrypointNumCpus"),
    "resources": (ENTRY + "  entrypointResources: {a: b}", "spec.entrypointResources.a"),
    "resources list": (ENTRY + "  entrypointResources: [a]", "spec.entrypointResources"),
    "retries": (ENTRY + "  backoffLimit: 1.5", "spec.backoffLimit"),
    "many retries": (ENTRY + "  backoffLimit: 1000000", "spec.backoffLimit"),
    "entry list": ("  entrypoint: [python, main.py]", "spec.entrypoint"),
    "entry blank": ("  entrypoint: ' '", "spec.entrypoint"),
    "entry missing": ("  backoffLimit: 0", "spec.entrypoint"),
    "metadata list": (ENTRY + "  metadata: [a]", "spec.metadata"),
    "metadata nested": (ENTRY + "  metadata: {a: {b: c}}", "spec.metadata.a"),
    "environment mapping": (ENTRY + "  runtimeEnvYAML: {a: b}", "spec.runtimeEnvYAML"),
    "environment word": (ENVIRONMENT + "word", "spec.runtimeEnvYAML is not a mapping"),
    "environment not YAML": (ENVIRONMENT + "env_vars: {", "runtimeEnvYAML is not YAML: line 2 of that text"),
    "no such date": (ENVIRONMENT + "pip: [2026-13-45]", "is not YAML: it holds an impossible date"),
    "variables list": (ENVIRONMENT + "env_vars: [a]", "spec.runtimeEnvYAML.env_vars"),
    "variable nested": (ENVIRONMENT + "env_vars: {A: {B: C}}", "spec.runtimeEnvYAML.env_vars.A"),
    "folder missing": (ENVIRONMENT + "working_dir: ./nowhere", "YAML.working_dir names, does not exist"),
    "folder is a file": (ENVIRONMENT + "working_dir: job.yaml", "YAML.working_dir names, is neither a folder"),
    "folder is a list": (ENVIRONMENT + "working_dir: [a]", "spec.runtimeEnvYAML.working_dir"),
    "module missing": (ENVIRONMENT + "py_modules: [./nowhere]", "YAML.py_modules names, does not exist"),
    "excludes": (ENVIRONMENT + "excludes: a", "spec.runtimeEnvYAML.excludes"),
    "pip and conda": (ENVIRONMENT + "{pip: [a], conda: b}", "spec.runtimeEnvYAML cannot be used"),
    "pip number": (ENVIRONMENT + "pip: 3", "spec.runtimeEnvYAML cannot be used"),
    "twice": (ENTRY + ENTRY, "job.yaml is not YAML: line 6"),
}


@pytest.mark.parametrize(("text", "words"), MISFITS.values(), ids=MISFITS)
def test_a_value_that_does_not_fit_is_named_and_nothing_is_submitted(
    rfmeta, tmp_path, monkeypatch, text, words
):
    monkeypatch.chdir(tmp_path)
    with jobs_api() as api:
        ending = rfmeta("submit", spec(tmp_path, text), "--address", api.address)
    assert (ending.code, api.submitted) == (CONFIG, []), ending.err
    assert words in ending.error


@pytest.mark.parametrize("name", ["", "a/b", "[a]", "{a: b}", "'a b'"])
def test_a_job_without_a_usable_name_is_refused(rfmeta, tmp_path, name):
    ending = rfmeta("submit", spec(tmp_path, name=name))
    assert (ending.code, "metadata" in ending.error) == (CONFIG, True), ending.err


def test_no_value_of_a_variable_is_printed(rfmeta, tmp_path):
    for variables in ("{AWS_SECRET_ACCESS_KEY: hunter2}", "{A: {B: hunter2}}", "[hunter2]"):
        ending = rfmeta("submit", spec(tmp_path, ENVIRONMENT + f"env_vars: {variables}"))
        assert ending.code == CONFIG
        assert "hunter2" not in ending.err


@pytest.mark.parametrize("limit", [None, 1000])
def test_a_working_directory_that_is_too_large_is_a_line_with_a_remedy(rfmeta, tmp_path, monkeypatch, limit):
    (tmp_path / "work").mkdir()
    (tmp_path / "work/weights").write_bytes(os.urandom(10_000 if limit else (100 << 20) + 1))
    with jobs_api(**({"limit": limit} if limit else {})) as api:
        path = spec(tmp_path, ENVIRONMENT + f"working_dir: {tmp_path}/work")
        ending = rfmeta("submit", path, "--address", api.address)
    assert (ending.code, api.submitted) == (CONFIG, []), ending.err
    assert "too large" in ending.error
    assert "excludes" in ending.error


CUT = {"in mid-log": [1], "at once": [0], "again and again": [1, 0, 2, 2], "before its end": [3]}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_log_that_is_cut_off_is_taken_up_again_and_shown_once(rfmeta, tmp_path, cut):
    with jobs_api(cut_after=cut, running=len(cut)) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out) == (0, LOG), ending.err
    assert len(api.submitted) == 1


def test_a_job_whose_log_always_breaks_is_followed_to_its_end(rfmeta, tmp_path):
    settings = {"cut_after": [1] * 1000, "running": 5, "status": "FAILED", "code": 7}
    with jobs_api(**settings) as api:  # the rest is had in one request
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out) == (7, LOG), ending.err
    with jobs_api(**settings, message="it failed\nlogs", log_lost=True) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out) == (7, "step 1\n"), ending.err
    assert "the end of the log was not received" in ending.err
    assert (
        f"rfmeta jobs logs {api.submitted[0]['submission_id']} --follow --address {api.address}" in ending.err
    )
    assert "failed: it failed\n" in ending.err


def test_a_connection_that_died_without_a_word_does_not_outlive_the_job(rfmeta, tmp_path):
    with jobs_api(silent=True, running=2) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out) == (0, LOG), ending.err


@pytest.mark.parametrize("settings", [{"cut_after": [1] * 1000}, {"silent": True}, {}])
def test_a_head_that_goes_away_is_the_clusters_error_and_the_job_is_named(rfmeta, tmp_path, settings):
    with jobs_api(running=1000, gone_after=2, **settings) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert ending.code == CLUSTER, ending.err
    identifier = api.submitted[0]["submission_id"]
    assert all(words in ending.error for words in (identifier, api.address, "RUNNING", "may still run"))
    assert f"do not submit it again; follow it with: rfmeta jobs logs {identifier} --follow" in ending.error
    assert "did not accept" not in ending.err
    assert "disk" not in ending.err


def test_an_answer_that_is_lost_does_not_lose_the_job(rfmeta, tmp_path):
    with jobs_api(lose_answer=True) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out, len(api.submitted)) == (0, LOG, 1), ending.err


def test_an_answer_that_is_lost_for_good_leaves_the_question_open(rfmeta, tmp_path):
    with jobs_api(lose_answer=True, gone_after=0) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert ending.code == CLUSTER
    assert "it is not known whether it has accepted job" in ending.error
    assert f"rfmeta jobs show {api.submitted[0]['submission_id']} --address" in ending.error


def test_a_cluster_that_is_still_starting_is_waited_for(rfmeta, tmp_path):
    with jobs_api(starting=3) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, ending.out, len(api.submitted)) == (0, LOG, 1), ending.err
    assert ending.err.count("is still starting") == 1
    with jobs_api(starting=1000) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert (ending.code, "the job could not be given" in ending.error, api.submitted) == (CLUSTER, True, []), (
        ending.err
    )


@pytest.mark.parametrize(
    ("status", "words"), [(500, "the job could not be given"), (403, "refused"), (413, "too large")]
)
def test_a_refusal_is_told_as_one(rfmeta, tmp_path, status, words):
    with jobs_api(refuse=status) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert words in ending.error
    assert api.submitted == []


def test_a_job_that_waits_for_resources_says_so_once(rfmeta, tmp_path):
    waiting = "Job has not started yet. It may be waiting for resources."
    with jobs_api(cut_after=[0] * 4, running=4, before="PENDING", message=waiting) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert ending.code == 0
    assert ending.err.count(waiting) == 1


def test_a_failed_job_is_tried_again_as_its_spec_says(rfmeta, tmp_path):
    with jobs_api(status="FAILED", code=3) as api:
        ending = rfmeta("submit", spec(tmp_path, ENTRY + "  backoffLimit: 2"), "--address", api.address)
    assert ending.code == 3
    assert [body["submission_id"][-2:] for body in api.submitted] == ["-0", "-1", "-2"]


def test_the_log_of_a_job_cannot_steer_the_terminal(rfmeta, tmp_path):
    with jobs_api(log=["\x1b]0;owned\x07\x1b[2J\x1b[32mok\x1b[0m\n"]) as api:
        ending = rfmeta("submit", spec(tmp_path), "--address", api.address)
    assert "\\x1b]0;owned\\x07\\x1b[2J\x1b[32mok\x1b[0m\n" in ending.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_following_and_says_that_the_job_runs_on(tmp_path, number):
    with jobs_api(silent=True, running=10_000) as api:
        command = [
            sys.executable,
            "-c",
            "from rfmeta_dist.cli import main; main()",
            "submit",
            str(spec(tmp_path)),
        ]
        before = signal.signal(number, signal.SIG_DFL)  # a shell's background jobs inherit SIGINT ignored
        process = subprocess.Popen(
            [*command, "--address", api.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        signal.signal(number, before)
        deadline = time.monotonic() + 60
        while not api.connections and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, err
    assert b"Traceback" not in err
    identifier = api.submitted[0]["submission_id"].encode()
    assert re.search(
        rb"job "
        + identifier
        + rb" keeps running on the cluster; follow it with: rfmeta jobs logs "
        + identifier,
        err,
    ), err
