"""Every mistake gets one line that names the thing and the remedy, and an exit code, before Ray starts."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from rfmeta_dist.data.shards.pack import pack
from rfmeta_dist.storage.store import open_store
from tests.samples import make_samples

CONFIG, DATA, STORAGE, RUN, CLUSTER = 2, 3, 4, 5, 6

SETTINGS = [
    ("training.steps", ["'training.steps'", "field=value"], CONFIG),
    ("trainign.steps=3", ["trainign is unknown", "did you mean training?"], CONFIG),
    ("training.stepz=3", ["training.stepz is unknown", "did you mean steps?"], CONFIG),
    ("foo=1", ["foo is unknown", "use one of: run, data"], CONFIG),
    ("training.steps=0", ["training.steps=0", "greater than or equal to 1"], CONFIG),
    ("training.steps=many", ['training.steps="many"', "integer"], CONFIG),
    ("training.steps=[", ["'training.steps=['", "not YAML"], CONFIG),
    ("training=3", ['training="3" is a section', "training.steps=100"], CONFIG),
    ("training.learning_rate=${nothing}", ["nothing", "not found"], CONFIG),
    ("method.inner_learning_rate=nan", ["method.inner_learning_rate"], CONFIG),
    ("method.name=sgd", ["method.name", "'aggregate'"], CONFIG),
    ("data.sources=A", ['data.sources="A" is not a list', "write data.sources=[A]"], CONFIG),
    ("data.sources[0]=A", ["data.sources[0]=A", "[O,C,I]"], CONFIG),
    ("data.sources=[A]", ["data.sources", "at least two source domains"], CONFIG),
    ("data.sources=[A,A]", ["a domain is named twice", "remove"], CONFIG),
    ("data.sources=[A,B,D]", ["target 'D' is among the sources", "remove it"], CONFIG),
    ("run.name=a/b", ['run.name="a/b" is not a name', "letters"], CONFIG),
    ("training.workers=5", ["training.workers=5", "3 or less", "training.episodes to 2"], CONFIG),
    ("training.zero=3", ["training.zero", "ZeRO-3 splits the parameters", "use 0, 1 or 2"], CONFIG),
    ("training.offload=true", ["offload is for strategy deepspeed", "training.offload=false"], CONFIG),
    ("model.weights=x.safetensors", ["set model.backbone", "remove model.weights"], CONFIG),
    ("training.strategy=single", ["'single' runs one worker, not 2", "training.workers=1"], CONFIG),
    ("data.sources=[A,B,X]", ["no domain 'X'", "A, B, C", "check the domain's name"], DATA),
    ("data.prefix=/nowhere", ["'A' under /nowhere", "check the domain's name and the prefix"], DATA),
    ("data.prefix=gs://bucket", ["'gs://bucket'", "use s3://bucket/prefix"], STORAGE),
    ("data.image_size=128", ["domain A holds crops of 64 pixels", "set data.image_size=64"], DATA),
    (
        "data.prefix=s3://bucket/faces",
        ["s3://bucket/faces", "no credentials", "set AWS_ACCESS_KEY_ID"],
        STORAGE,
    ),
    ("run.folder=/dev/null", ["/dev/null/r: Not a directory", "check the path"], STORAGE),
]


def require(ending: object, code: int, words: list[str]) -> None:
    assert not [word for word in words if word not in ending.error], ending.error  # type: ignore[attr-defined]
    assert ending.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(("setting", "words", "code"), SETTINGS, ids=[s[0] for s in SETTINGS])
def test_a_wrong_setting_is_named_with_its_remedy(rfmeta, config, setting, words, code):
    require(rfmeta("train", config, "--set", setting), code, words)


FILES = {
    "list": (b"[1, 2]", "is not a mapping"),
    "word": (b"hello", "is not a mapping"),
    "empty": (b"", "run is missing"),
    "not YAML": (b"run: [1\n", "is not YAML: line 2"),
    "binary": (b"\xff\xfe\x00\x80", "can't decode"),
    "tab": (b"run:\n\tname: x\n", "is not YAML: line 2"),
    "typo": (b"dta: {}\nrun: {name: r}\n", "dta is unknown; did you mean data?"),
}


@pytest.mark.parametrize(("content", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_configuration_is_refused(rfmeta, tmp_path, content, words):
    (tmp_path / "c.yaml").write_bytes(content)
    require(rfmeta("train", tmp_path / "c.yaml"), CONFIG, [words])


COMMANDS = [
    ("train missing.yaml", ["missing.yaml does not exist", "rfmeta example demo"], CONFIG),
    ("loo run.yaml --seeds a,b", ["--seeds 'a,b'", "write --seeds 0,1"], CONFIG),
    ("loo run.yaml --seeds -1", ["--seeds '-1'"], CONFIG),
    ("loo run.yaml --methods sgd", ["--methods names 'sgd'", "use one of: rfmeta"], CONFIG),
    ("loo run.yaml --set data.target=E", ["no domain 'E'", "A, B, C, D"], DATA),
    ("demo run.yaml", ["data.prefix", "is not an S3 address", "set data.prefix=s3://bucket/name"], CONFIG),
    ("train run.yaml --address nonsense", ["nonsense", "check the address"], CLUSTER),
    ("train run.yaml --address 127.0.0.1:1", ["127.0.0.1:1", "check the address"], CLUSTER),
    ("train run.yaml --address ray://127.0.0.1:1", ["ray://127.0.0.1:1", "check the address"], CLUSTER),
    ("evaluate nothing", ["no run at", "nothing", "`rfmeta train`"], RUN),
    ("evaluate run.yaml", ["run.yaml"], STORAGE),
    ("report nothing", ["no run at", "nothing", "`rfmeta train`"], RUN),
    ("shards ls nothing", ["no domains under", "nothing", "`rfmeta synth`"], DATA),
    ("shards stats nothing", ["no domains under", "nothing", "`rfmeta synth`"], DATA),
    ("shards verify nothing", ["no domains under", "nothing", "`rfmeta synth`"], DATA),
    ("shards ls nothing --domain ../x", ["'../x'"], STORAGE),
    ("synth", ["neither --out nor --sheet", "give --out"], CONFIG),
    ("synth --out x --scale huge", ["'huge'", "tiny, small, demo, full"], CONFIG),
    ("synth --out x --domains O,X", ["'X'", "O, C, I, M"], CONFIG),
    ("synth --out x --scale tiny --identities nothing", ["nothing does not exist"], DATA),
    ("ingest casia run.yaml --out x", ["no layout 'casia'", "casia_fasd"], CONFIG),
    ("ingest folder . --domain a/b --out x", ["'a/b' is not a valid domain name", "use letters"], CONFIG),
    ("verify --golden nothing.json", ["nothing.json", "give the path"], CONFIG),
    ("verify --golden run.yaml", ["run.yaml", "as JSON", "a golden file"], CONFIG),
    ("s3 run.yaml -- true", ["run.yaml", "check the path"], STORAGE),
    ("submit missing.yaml", ["missing.yaml does not exist", "rfmeta example leave_one_out"], CONFIG),
    ("submit run.yaml", ["run.yaml has kind None", "rfmeta example leave_one_out"], CONFIG),
]


@pytest.mark.parametrize(("line", "words", "code"), COMMANDS, ids=[c[0] for c in COMMANDS])
def test_a_wrong_argument_is_named_with_its_remedy(
    rfmeta, config, monkeypatch, line: str, words: list[str], code: int
):
    monkeypatch.chdir(config.parent)
    started = time.monotonic()
    require(rfmeta(*line.split()), code, words)
    assert time.monotonic() - started < 60  # Ray alone would wait for minutes
    assert not (config.parent / "x").exists()


def test_the_number_of_proving_processes_is_checked(rfmeta):
    golden = Path(__file__).parents[1] / "verification/rfmeta_float64.json"
    require(rfmeta("verify", "--golden", golden, "--workers", "0"), CONFIG, ["--workers '0'"])


JOBS = {
    "wrong kind": ({"kind": "Pod"}, "has kind Pod, but a job spec has kind RayJob"),
    "unknown field": ({"shutdown": True}, "spec.shutdown is unknown; use one of"),
    "credential": (
        {"runtimeEnvYAML": "env_vars: {AWS_SECRET_ACCESS_KEY: x}"},
        "AWS_SECRET_ACCESS_KEY, a credential",
    ),
    "wrong environment": ({"runtimeEnvYAML": "[1]"}, "is not a RayJob manifest"),
    "wrong retries": ({"backoffLimit": "often"}, "is not a RayJob manifest"),
}


@pytest.mark.parametrize(("change", "words"), JOBS.values(), ids=JOBS)
def test_a_wrong_job_spec_is_refused_before_anything_is_submitted(rfmeta, tmp_path, change, words):
    require(rfmeta("submit", job_spec(tmp_path, **change)), CONFIG, [words])


def job_spec(folder: Path, kind: str = "RayJob", **spec: object) -> Path:
    path = folder / "job.yaml"
    tree = {"kind": kind, "metadata": {"name": "j"}, "spec": {"entrypoint": "true", **spec}}
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_job_for_a_cluster_that_does_not_answer_fails_in_seconds(rfmeta, tmp_path, mute):
    from rfmeta_dist.cluster.jobs import limits, submission  # noqa: F401 -- its import is no part of the wait

    spec, longest = job_spec(tmp_path), limits.CONNECT_S + 5
    for address in (mute, "http://127.0.0.1:1"):
        started = time.monotonic()
        require(rfmeta("submit", spec, "--address", address), CLUSTER, [address, "check --address"])
        assert time.monotonic() - started < longest


def test_wrong_s3_credentials_are_named(rfmeta, config, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    ending = rfmeta("train", config, "--set", "data.prefix=s3://tests/faces")
    require(ending, STORAGE, ["s3://tests/faces", "denied", "check AWS_ACCESS_KEY_ID"])


# Damage of a domain's folder, and what the line must say of it.
Damage = Callable[[Path], object]


def one(folder: Path, pattern: str) -> Path:
    return next(folder.rglob(pattern))


DAMAGES: dict[str, tuple[Damage, list[str]]] = {
    "manifest is not JSON": (
        lambda d: one(d, "manifest-*").write_text("{"),
        ["manifest-000001.json is not a manifest"],
    ),
    "manifest of another domain": (
        lambda d: one(d, "manifest-*").write_bytes(one(d.parent / "B", "manifest-*").read_bytes()),
        ["describes domain 'B', not 'A'"],
    ),
    "table is missing": (lambda d: one(d, "samples-*").unlink(), ["samples-", "is missing"]),
    "table is damaged": (
        lambda d: one(d, "shards-*").write_bytes(b"PAR1"),
        ["shards-", "does not match the hash"],
    ),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_manifest_that_does_not_match_is_refused_before_training(rfmeta, config, prefix, damage, words):
    damage(prefix / "A")
    ending = rfmeta("train", config, "--set", f"data.prefix={prefix}")
    require(ending, DATA, [*words, "ingest the domain again"])
    assert not (config.parent / "runs").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda tar: tar.write_bytes(tar.read_bytes()[:-1])])
def test_shards_verify_names_a_missing_or_damaged_shard(rfmeta, prefix, damage):
    tar = one(prefix / "B", "*.tar")
    damage(tar)
    ending = rfmeta("shards", "verify", prefix)
    require(ending, DATA, ["domain(s) B", "ingest or generate these domains again"])
    assert str(tar.relative_to(prefix / "B")) in ending.err
    assert "domain A: no errors" in ending.err


def test_a_domain_with_one_class_only_is_refused(rfmeta, config, prefix):
    pack(make_samples("L", {"train": (6, 0), "validation": (3, 3)}), open_store(str(prefix)), "L", contract={})
    ending = rfmeta("train", config, "--set", f"data.prefix={prefix}", "--set", "data.sources=[A,B,L]")
    require(ending, DATA, ["domain 'L' has no attack samples in split 'train'"])


@pytest.fixture
def started(config, packed) -> Path:
    """The folder of a run that has begun and not finished."""
    from rfmeta_dist.cluster.train import prepare
    from rfmeta_dist.config.load import load_config

    return Path(prepare(load_config(config)).folder.url)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.steps=8", ["started for 4 steps", "8", "set training.steps=4"]),
        ("training.steps=2", ["started for 4 steps", "2", "set training.steps=4"]),
        ("training.seed=9", ["another configuration", "training.seed", "run.name"]),
    ],
)
def test_a_run_is_not_resumed_as_another(rfmeta, config, started, setting, words):
    require(rfmeta("train", config, "--set", setting), RUN, words)


def test_a_run_whose_configuration_is_damaged_is_not_resumed(rfmeta, config, started):
    (started / "config.yaml").write_text("run: [")
    require(rfmeta("train", config), RUN, ["config.yaml is damaged", "start a new run"])


def test_evaluate_before_training_has_finished_is_refused(rfmeta, started):
    require(rfmeta("evaluate", started), RUN, [str(started), "no model yet", "`rfmeta train`"])


def test_report_before_evaluate_says_what_to_run_first(rfmeta, started):
    (started / "metrics.jsonl").write_text(json.dumps({"step": 0, "loss": 1.0, "seconds": 0.1}) + "\n")
    require(rfmeta("report", started), RUN, ["no evaluation.json", f"make it with: rfmeta evaluate {started}"])
    assert not (started / "report.html").exists()


@pytest.fixture
def full_disk(small_disk: Callable[[str], Path]) -> Path:
    """A disk of 64 KiB with 4 KiB left."""
    folder = small_disk("64k")
    (folder / "ballast").write_bytes(bytes(60 * 1024))
    return folder


def test_a_full_disk_stops_a_new_run_and_leaves_nothing(rfmeta, config, full_disk):
    (full_disk / "rest").write_bytes(bytes(4096))
    ending = rfmeta("train", config, "--set", f"run.folder={full_disk}")
    require(ending, STORAGE, ["No space left", "free space", "no partly written file"])
    assert {path.name for path in full_disk.rglob("*") if path.is_file()} == {"ballast", "rest"}


def test_a_full_disk_stops_synth_and_leaves_no_domain(rfmeta, full_disk):
    ending = rfmeta("synth", "--out", full_disk, "--scale", "tiny", "--domains", "M", "--workers", "1")
    require(ending, STORAGE, ["No space left", "free space"])
    require(rfmeta("shards", "ls", full_disk), DATA, ["no domains under"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_somebody_else_is_named(rfmeta, config, tmp_path):
    tmp_path.joinpath("closed").mkdir(mode=0o500)
    ending = rfmeta("train", config, "--set", f"run.folder={tmp_path}/closed")
    require(ending, STORAGE, ["permission denied", "check the owner"])


@pytest.mark.parametrize(("line", "word"), [("train", "config"), ("x", "'x'"), ("loo x --slots 0", "--slots")])
def test_the_usage_errors_of_the_shell_are_short_too(rfmeta, line, word):
    ending = rfmeta(*line.split())
    assert (ending.code, ending.out) == (CONFIG, "")
    usage, *rest = filter(str.strip, ending.err.splitlines())
    assert "Usage: " in usage
    assert len(rest) <= 5
    assert word in "".join(rest)
