"""rfmeta doctor: facts of this machine, what each command lacks, and an error for what is there but broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from rfmeta_dist.cli import machine
from rfmeta_dist.core.extras import NEEDS
from tests.lighter import MAIN, absent, without
from tests.lighter import rfmeta as rfmeta_without
from tests.s3server import serving


def doctor_in_a_process(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `rfmeta doctor` with a folder of packages that is searched before the installed ones."""
    code = "from rfmeta_dist.cli import main; main()"
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-c", code, "doctor", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_base_installation_learns_which_extra_each_command_needs():
    ended = rfmeta_without(absent(), "doctor", "--json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    commands = found["commands"]
    assert commands["init"] == {"ready": True, "missing": [], "remedies": []}
    assert commands["train"]["missing"] == ["ray", "torch", "pyarrow"]
    assert commands["train"]["remedies"] == ["pip install 'rfmeta_dist[train]'"]
    assert commands["report"]["remedies"] == ["pip install 'rfmeta_dist[report]'"]
    assert commands["demo"]["remedies"] == ["pip install 'rfmeta_dist[video,report,train]'"]
    assert found["gpu"]["torch"] is None
    assert {p["name"]: p["installed"] for p in found["packages"]}["torch"] is None


def test_with_the_extra_train_only_what_needs_other_extras_is_missing():
    found = json.loads(rfmeta_without(absent("train") | {"scipy"}, "doctor", "--json").stdout)["commands"]
    assert found["train"]["ready"]
    assert found["shards"]["ready"]  # train brings pyarrow too
    assert found["report"]["remedies"] == ["pip install 'rfmeta_dist[report]'"]
    assert "pip install 'rfmeta_dist[video]'" in found["ingest"]["remedies"]


def test_no_ray_is_started_or_even_imported():
    code = MAIN.replace("main()", "try:\n    main()\nexcept SystemExit:\n    pass\nprint('ray' in sys.modules)")
    ended = without({"nothing"}, code, "doctor")
    assert ended.stdout.splitlines()[-1] == "False", ended.stderr


def test_the_table_of_needs_has_every_command(rfmeta):
    import typer

    from rfmeta_dist.cli.app import app

    tree = typer.main.get_command(app)
    visible = {name for name, command in tree.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    assert {name.split()[0] for name in NEEDS} == visible
    for name in NEEDS:
        node = tree
        for word in name.split():
            node = node.commands[word]  # type: ignore[attr-defined]


def test_the_tables_name_machine_packages_and_commands(rfmeta, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    ended = rfmeta("doctor")
    assert ended.code == 0, ended.err
    for part in ("memory", "GPU", "opencv-python-headless", "leave-one-out"):
        assert part in ended.out
    assert f"{machine.cores()} core(s)" in ended.out


def test_missing_face_models_are_no_error_and_ingest_names_the_remedy(rfmeta, monkeypatch, tmp_path):
    monkeypatch.setenv("RFMETA_MODELS", str(tmp_path))
    ended = rfmeta("doctor", "--json")
    assert ended.code == 0, ended.err
    ingest = json.loads(ended.out)["commands"]["ingest"]
    assert (ingest["missing"], ingest["remedies"]) == (["face models"], ["rfmeta faces install"])


def test_damaged_face_models_are_an_error_after_everything_else_was_said(rfmeta, monkeypatch, tmp_path):
    monkeypatch.setenv("RFMETA_MODELS", str(tmp_path))
    for name in ("face_detection_back.tflite", "face_landmark.tflite"):
        (tmp_path / name).write_bytes(b"something else")
    ended = rfmeta("doctor", "--json")
    assert ended.code == 2
    assert "is damaged or of another version" in ended.error
    assert "; run `rfmeta faces install`" in ended.error
    assert json.loads(ended.out)["errors"][0]["remedy"] == "run `rfmeta faces install`"


def test_a_package_of_another_version_is_an_error(tmp_path):
    (tmp_path / "deepspeed").mkdir()
    (tmp_path / "deepspeed/__init__.py").touch()
    (tmp_path / "deepspeed-9.9.dist-info").mkdir()
    (tmp_path / "deepspeed-9.9.dist-info/METADATA").write_text("Name: deepspeed\nVersion: 9.9\n")
    ended = doctor_in_a_process(tmp_path)
    assert ended.returncode == 7
    assert "error deepspeed 9.9 is installed, but this version of rfmeta needs deepspeed" in ended.stderr
    assert "pip install 'rfmeta_dist[train]'" in ended.stderr


def test_packages_that_cannot_be_imported_are_each_an_error(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13 is not there')")
    (tmp_path / "av.py").write_text("raise ImportError('libavcodec is not there')")
    ended = doctor_in_a_process(tmp_path, "--json")
    assert ended.returncode == 7
    assert "libcudart.so.13 is not there" in ended.stderr
    assert "libavcodec is not there" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert json.loads(ended.stdout)["gpu"] is None


def test_a_folder_is_tried_and_left_as_it_was(rfmeta, tmp_path):
    ended = rfmeta("doctor", "--json", "--store", tmp_path)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["store"] == {
        "url": str(tmp_path),
        "reachable": True,
        "put_if_absent": True,
    }
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_not_made(rfmeta, tmp_path):
    ended = rfmeta("doctor", "--store", tmp_path / "none")
    assert ended.code == 4
    assert "there is no folder" in ended.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("conditional", [True, False])
def test_an_s3_store_that_overwrites_is_an_error(rfmeta, monkeypatch, conditional):
    with serving() as server:
        server.conditional = conditional
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
        ended = rfmeta("doctor", "--json", "--store", f"s3://faces/{uuid4().hex}")
        assert server.objects == {}
    store = json.loads(ended.out)["store"]
    assert (store["reachable"], store["put_if_absent"]) == (True, conditional)
    assert ended.code == (0 if conditional else 4)
    assert conditional or "lacks put-if-absent" in ended.error


@pytest.mark.parametrize(
    ("files", "most", "bytes_"),
    [
        ({"cpu.max": "max 100000", "memory.max": "max"}, 10**6, None),
        ({"cpu.max": "150000 100000", "memory.max": "50000000", "memory.current": "10000000"}, 1, 50_000_000),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 10**6, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "50000",
                "cpu/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "50000000",
                "memory/memory.usage_in_bytes": "10000000",
            },
            1,
            50_000_000,
        ),
    ],
)
def test_the_limits_of_a_container_count(monkeypatch, tmp_path, files, most, bytes_):
    before = machine.memory()[0]
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.cores() == min(most, len(os.sched_getaffinity(0)))
    total, available = machine.memory()
    assert total == (bytes_ or before)
    assert bytes_ is None or available == 40_000_000
