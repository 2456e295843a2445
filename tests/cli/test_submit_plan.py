"""`rfmeta submit`: whole manifests, `--set`, words for the job's command, and `--dry-run`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from rfmeta_dist.cluster.jobs import upload
from tests.jobs_api import jobs_api

CONFIG = 2
TEXT = """\
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: night-run
  labels: {team: faces}
spec:
  entrypoint: echo hello
  entrypointNumCpus: 0
  backoffLimit: 1
  runtimeEnvYAML: |
    working_dir: .
    env_vars: {WORD: to-be-hidden}
    pip: {packages: [a], pip_check: false}
  metadata: {owner: team}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(TEXT)
    return tmp_path / "job.yaml"


def plan(rfmeta, *words: object) -> dict:
    ending = rfmeta("submit", "job.yaml", "--dry-run", "--json", *words)
    assert ending.code == 0, ending.err
    return dict(json.loads(ending.out))


def test_a_plan_says_what_would_be_submitted_and_hides_what_variables_hold(rfmeta, spec):
    said = plan(rfmeta)
    assert said["job"] == "night-run-{unix time}-{attempt}"
    assert said["runtime_env"]["env_vars"] == ["RFMETA_TRACE", "WORD"]
    assert said["runtime_env"]["pip"] == {"packages": ["a"], "pip_check": False}
    assert (said["entrypoint_reserves"], said["backoff_limit"]) == ({"cpus": 0.0}, 1)
    assert said["upload"][0]["files"] == 1
    shown = rfmeta("submit", "job.yaml", "--dry-run")
    assert "to-be-hidden" not in json.dumps(said) + shown.out + shown.err
    assert all(
        words in shown.out for words in ("echo hello", "job.yaml", "WORD", "ray job submit", "owner: team")
    )


@pytest.mark.parametrize("change", ["\r\n", "\ufeff", "anchors"])
def test_files_as_other_editors_write_them_are_read(rfmeta, spec, change):
    text = TEXT.replace("\n", "\r\n") if change == "\r\n" else change * (change == "\ufeff") + TEXT
    if change == "anchors":
        text = TEXT.replace("name: night-run", "name: &name night-run").replace("owner: team", "owner: *name")
    spec.write_bytes(text.encode())
    said = plan(rfmeta)
    assert said["entrypoint"] == "echo hello"
    assert said["metadata"] == {"owner": "night-run" if change == "anchors" else "team"}


def test_values_are_set_and_words_are_quoted_for_the_shell(rfmeta, spec):
    said = plan(
        rfmeta,
        *("--set", "metadata.name=second", "--set", "spec.backoffLimit=3", "--set", "spec.metadata.seed=007"),
        *("--set", "spec.runtimeEnvYAML.env_vars.NUMBER=1", "--set", "spec.runtimeEnvYAML.pip.pip_check=true"),
        *("--set", "spec.entrypointResources={disk: 2}", "--", "--set", "run.name=a b", "--json"),
    )
    assert said["entrypoint"] == "echo hello --set 'run.name=a b' --json"
    assert said["job"].startswith("second-")
    assert (said["backoff_limit"], said["metadata"]) == (3, {"owner": "team", "seed": "007"})
    assert said["runtime_env"]["env_vars"] == ["NUMBER", "RFMETA_TRACE", "WORD"]
    assert said["runtime_env"]["pip"]["pip_check"] is True
    assert said["entrypoint_reserves"]["resources"] == {"disk": 2.0}


REFUSED = {
    "run.seed=3": "rfmeta submit FILE -- --set",
    "spec.backoffLimit": "FIELD=VALUE",
    "spec.backoffLimit=often": "spec.backoffLimit",
    "spec.backOffLimit=2": "spec.backOffLimit is unknown",
    "spec.entrypoint.a=1": "spec.entrypoint is a value",
    "metadata=x": "names no field",
    "spec.runtimeEnvYAML.env_vars.API_TOKEN=x": "API_TOKEN, a credential",
    "spec.activeDeadlineSeconds=0": "spec.activeDeadlineSeconds",
}


@pytest.mark.parametrize(("override", "words"), REFUSED.items(), ids=REFUSED)
def test_a_value_that_does_not_fit_is_refused_as_if_the_file_had_it(rfmeta, spec, override, words):
    ending = rfmeta("submit", spec, "--dry-run", "--set", override)
    assert (ending.code, words in ending.error) == (CONFIG, True), ending.err


def test_a_text_that_looks_like_a_date_does_not_prevent_set(rfmeta, spec):
    described = (
        "  rayClusterSpec:\n    headGroupSpec: {template: {spec: {containers: [{name: a, image: i}]}}}\n"
    )
    spec.write_text(f"{TEXT}{described}".replace("owner: team", "owner: 2026-13-45"))
    assert plan(rfmeta, "--set", "spec.backoffLimit=3")["metadata"] == {"owner": "2026-13-45"}


def test_a_file_that_is_nested_too_deeply_is_refused(rfmeta, spec):
    spec.write_text(f"{TEXT}  clusterSelector: {'[' * 5000}\n")
    ending = rfmeta("submit", spec, "--dry-run")
    assert (ending.code, "nested too deeply" in ending.error) == (CONFIG, True), ending.err


def test_a_file_whose_aliases_multiply_is_refused_at_once(rfmeta, spec):
    lists = "".join(f"x{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    spec.write_text(f"x0: &a0 [a]\n{lists}{TEXT.replace('{owner: team}', '*a8')}")
    ending = rfmeta("submit", spec, "--dry-run")
    assert (ending.code, "more than 100000 values" in ending.error) == (CONFIG, True), ending.err


def test_no_equal_command_of_ray_is_shown_for_variables_that_the_file_lacks(rfmeta, spec):
    assert "echo hello" in plan(rfmeta, "--set", "spec.backoffLimit=2")["ray_job_submit"]
    assert plan(rfmeta, "--set", "spec.runtimeEnvYAML.env_vars.WORD=2")["ray_job_submit"] is None
    ending = rfmeta("submit", spec, "--dry-run", "--set", "spec.runtimeEnvYAML.env_vars.WORD=2")
    assert "write what --set gives spec.runtimeEnvYAML into the file first" in ending.out


def test_a_folder_is_no_job_spec(rfmeta, spec):
    ending = rfmeta("submit", spec.parent, "--dry-run")
    assert (ending.code, "is not a file" in ending.error) == (CONFIG, True), ending.err


def test_a_second_file_is_not_taken_for_a_word_of_the_command(rfmeta, spec):
    ending = rfmeta("submit", spec, spec, "--dry-run")
    assert ending.code == CONFIG, ending.err
    assert "--" not in ending.out


def test_what_only_kubernetes_uses_is_said_once(rfmeta, spec):
    more = "  ttlSecondsAfterFinished: 60\n  shutdownAfterJobFinishes: true\n"
    spec.write_text(f"{TEXT}{more}---\nkind: Secret\nmetadata: {{name: s}}\n")
    with jobs_api() as api:
        ending = rfmeta("submit", spec, "--address", api.address, "--set", "spec.runtimeEnvYAML=")
    assert ending.code == 0, ending.err
    (line,) = [line for line in ending.err.splitlines() if "ignores" in line]
    assert line == (
        "spec.shutdownAfterJobFinishes, spec.ttlSecondsAfterFinished, Secret s are for KubeRay; the cluster at "
        f"{api.address} ignores them"
    )


FULL = TEXT + "  clusterSelector: {ray.io/cluster: rfmeta}\n"


def test_a_manifest_for_kuberay_is_checked_by_its_rules(rfmeta, spec):
    spec.write_text(FULL)
    assert rfmeta("submit", spec, "--dry-run", "--set", "spec.entrypoint=a: b: c").code == 0
    spec.write_text(FULL + "  ttlSecondsAfterFinished: '60'\n  suspended: true\n")
    ending = rfmeta("submit", spec, "--dry-run")
    assert ending.code == CONFIG
    assert "job.yaml:16: error: spec.ttlSecondsAfterFinished: " in ending.err
    assert "job.yaml:17: error: spec.suspended: " in ending.err
    spec.write_text(FULL)
    ending = rfmeta(
        "submit", spec, "--dry-run", "--set", "spec.suspend=perhaps", "--set", "spec.metadata.seed=007"
    )
    assert (ending.code, "spec.suspend" in ending.error) == (CONFIG, True), ending.err


def test_of_two_jobs_in_a_file_neither_is_chosen(rfmeta, spec):
    spec.write_text(f"{TEXT}---\n{TEXT}")
    ending = rfmeta("submit", spec, "--dry-run")
    assert (ending.code, "describes 2 jobs" in ending.error) == (CONFIG, True), ending.err


def test_the_upload_is_what_ray_packs(spec, tmp_path):
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    files = ("a.txt", "deep/b.bin", "deep/skipped.log", ".git/c", ".venv/d", "__pycache__/e", "cut/f", "ü/g")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * 1000)
    (tmp_path / "empty").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "link").symlink_to("deep/b.bin")
    (package,) = upload.packages({"working_dir": str(tmp_path), "excludes": ["/cut"]})
    made = tmp_path.parent / "made.zip"
    excludes = [*get_runtime_env_default_excludes(), "/cut"]
    create_package(str(tmp_path), made, include_gitignore=True, excludes=excludes)
    names = [name for name in ZipFile(made).namelist() if not name.endswith("/")]
    assert package.files == len(names) == 6
    assert {name for name, _ in package.largest} <= set(names)
    assert package.size == made.stat().st_size
    (module,) = upload.packages({"py_modules": [str(tmp_path)]})
    assert module.files > package.files  # Ray's own list of folders to leave out holds for working_dir alone


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_a_folder_above_rays_limit_is_refused_with_its_largest_files(rfmeta, spec, tmp_path, dry):
    for name, size in (("weights.bin", 90 << 20), ("clip.mp4", 20 << 20)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)  # takes no space on the disk
    with jobs_api() as api:
        ending = rfmeta("submit", spec, "--address", api.address, *dry)
    assert (ending.code, api.submitted, api.asked) == (CONFIG, [], 0)
    assert "110.0 MiB" in ending.error
    assert "weights.bin (90.0 MiB), clip.mp4 (20.0 MiB)" in ending.error
    assert "100 MiB" in ending.error
    assert rfmeta("submit", spec, "--dry-run", "--set", "spec.runtimeEnvYAML.excludes=[weights.bin]").code == 0


def test_a_link_to_its_own_folder_is_named(rfmeta, spec, tmp_path):
    (tmp_path / "loop").symlink_to(".")
    ending = rfmeta("submit", spec, "--dry-run")
    assert (ending.code, "loop leads to a folder that contains it" in ending.error) == (CONFIG, True), (
        ending.err
    )


def test_a_spec_is_checked_and_shown_without_ray(spec):
    program = "import sys; sys.modules['ray'] = None; from rfmeta_dist.cli import main; main()"
    command = [sys.executable, "-c", program, "submit", "job.yaml", "--dry-run"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "not known, because Ray is not installed" in ended.stdout


PLAIN = ("rfmeta synth --out s3://b/x", "rfmeta synth --out s3://b/x")
SHELL = ('echo "$WORD"; exit 0', "sh -c 'echo \"$WORD\"; exit 0'")


@pytest.mark.parametrize(
    ("entrypoint", "sent", "variables"),
    [(*SHELL, True), pytest.param(*PLAIN, False, marks=pytest.mark.drill)],
    ids=["shell and variables", "neither"],
)
def test_the_command_of_ray_that_is_shown_submits_the_same(rfmeta, spec, entrypoint, sent, variables):
    text = TEXT if variables else TEXT.replace("    env_vars: {WORD: to-be-hidden}\n", "")
    spec.write_text(text.replace("echo hello", entrypoint))
    with jobs_api() as api:
        line = plan(rfmeta, "--address", api.address)["ray_job_submit"]
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        ended = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, check=False, env=environment
        )
    assert ended.returncode == 0, ended.stderr
    (body,) = api.submitted
    assert shlex.split(body["entrypoint"]) == shlex.split(sent)
    assert body["metadata"] == {"owner": "team"}
    assert body["entrypoint_num_cpus"] == 0
    assert body["runtime_env"]["working_dir"].startswith("gcs://")
    assert body["runtime_env"].get("env_vars") == ({"WORD": "to-be-hidden"} if variables else None)
