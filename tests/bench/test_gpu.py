"""The script for one GPU runs without Ray, and a section that fails is lost alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from bench.gpu import exact, table
from bench.gpu.__main__ import SECTIONS
from bench.gpu.card import bf16_peak, fitting
from bench.gpu.sections import Section, run_all
from bench.gpu.settings import settings
from bench.gpu.steps import SIZES, SWITCHED
from rfmeta_dist.core.errors import VerificationError
from rfmeta_dist.verification.parity import TOLERANCE

ROOT = Path(__file__).parents[2]
ABSENT = """
import sys
from importlib.machinery import PathFinder
absent = "ray deepspeed webdataset typer rich omegaconf yaml cv2 simplejpeg pyarrow sklearn psutil".split()
class WithoutSome(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in absent else super().find_spec(name, path, target)
sys.meta_path = [WithoutSome if finder is PathFinder else finder for finder in sys.meta_path]
"""
TINY = settings("cpu", tiny=True)


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository."""
    given = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        [sys.executable, *arguments], env=given, cwd=ROOT, capture_output=True, text=True, check=False
    )


def tiny(folder: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The result and the output of the script at tiny size, where some packages are absent."""
    (folder / "sitecustomize.py").write_text(ABSENT)
    path = f"{folder}{os.pathsep}{ROOT}"
    assert "No module named 'ray'" in python("-c", "import ray", PYTHONPATH=path).stderr
    out = folder / "new" / "gpu.json"
    command = ("-m", "bench.gpu", "--device", "cpu", "--tiny", "--out", str(out), *options)
    ran = python(*command, PYTHONPATH=path)
    assert ran.returncode == 0, ran.stderr
    return json.loads(out.read_text()), ran.stdout


def test_a_section_is_done_where_ray_and_the_command_lines_packages_are_absent(tmp_path):
    found, _ = tiny(tmp_path, "--only", "golden")
    assert found["sections"]["golden"]["error"] is None
    assert 0 < found["golden_difference"] <= TOLERANCE


@pytest.mark.drill
@pytest.mark.timeout(900)  # ten processes that import torch: half a minute, but minutes on a busy machine
def test_every_section_is_done_at_tiny_size(tmp_path):
    found, said = tiny(tmp_path)
    parts = found["sections"]
    assert {name: part["error"] for name, part in parts.items()} == {s.name: None for s in SECTIONS}
    assert set(parts["step"]["rows"]) == set(SIZES)
    assert set(parts["deterministic"]["rows"]) == set(SWITCHED)
    best = parts["step"]["rows"]["ours bf16"]
    assert found["images_per_s"] == pytest.approx(3 * best["images"] / found["step_s"])
    assert found["peak_share"] == pytest.approx(best["tflops"] / found["card"]["matmul_tflops"])
    assert found["faster"] == best["images_per_s"] / parts["step"]["rows"]["plain fp32, NCHW"]["images_per_s"]
    assert 0 < found["golden_difference"] <= TOLERANCE
    assert all(0 < row["difference"] <= TOLERANCE for row in parts["workers"]["rows"].values())
    for row in parts["resume"]["rows"].values():
        assert row == {"resumed_from": 4, "same_bits": True, "difference": 0}
    assert said.strip() == table.markdown(found)
    assert all(f"| {name} | " in said for name in (*parts, *SIZES, *SWITCHED))


def raises(_settings, _tell):
    raise ValueError("a first line\nand | a second one")


def dies(_settings, tell):
    tell("before", {"figure": 1.0})
    os.kill(os.getpid(), signal.SIGSEGV)


def hangs(_settings, tell):
    tell("started", {"pid": subprocess.Popen(["sleep", "600"]).pid})
    time.sleep(600)


def ended(pid):
    """Return True if a process is gone, or becomes so within a few seconds."""
    try:
        psutil.Process(pid).wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # nobody has asked how it ended
    return True


def works(_settings, tell):
    tell("figures", {"left": tell.left()})


@pytest.mark.drill
def test_a_section_that_fails_dies_or_hangs_is_named_with_its_reason_and_the_others_go_on():
    sections = [Section(f.__name__, f, least=0, most=60) for f in (raises, dies, works)]
    sections.insert(2, Section("hangs", hangs, least=0, most=8))
    sections.append(Section("long", works, least=1e6, most=1e6))
    seen = []
    found = run_all(sections, TINY, 300, lambda outcomes: seen.append(len(outcomes)))
    assert seen == [1, 2, 3, 4, 5]
    status = {name: outcome.status for name, outcome in found.items()}
    assert status == {
        "raises": "failed",
        "dies": "failed",
        "hangs": "ended",
        "works": "done",
        "long": "skipped",
    }
    assert found["raises"].error == "ValueError: a first line and | a second one"
    assert found["raises"].where.startswith("bench/test_gpu.py:")
    assert "SIGSEGV" in found["dies"].error
    assert found["dies"].rows == {"before": {"figure": 1.0}}
    assert 0 < found["works"].rows["figures"]["left"] <= 60
    assert ended(found["hangs"].rows["started"]["pid"])
    lines = table.markdown(table.result(found, TINY)).splitlines()
    assert any(
        line.startswith("| raises | **failed**: ValueError: a first line and \\| a second") for line in lines
    )
    assert any(line.startswith("| long | **skipped**: needs about") and "--minutes" in line for line in lines)


def test_a_step_that_computes_something_else_fails(monkeypatch):
    monkeypatch.setitem(exact.TINY_GOLDEN, "meta_test_weight", 1 + 1e-6)  # the plain step knows no such weight
    told = {}
    with pytest.raises(VerificationError, match="differs from its reference"):
        exact.figures(TINY, told.__setitem__)
    assert told["golden"]["difference"] > TOLERANCE


def test_a_step_that_needs_too_much_memory_is_tried_with_fewer_images():
    tried = []

    def work(images):
        tried.append(images)
        if images > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return "done"

    limit = 5
    assert fitting(20, work) == (4, "done")
    assert tried == [20, 10, 4]
    limit = 1
    with pytest.raises(torch.OutOfMemoryError):
        fitting(20, work)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H200 NVL", 835),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A10", 125),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("Tesla V100-SXM2-16GB", None),
    ],
)
def test_only_a_whole_card_of_the_table_has_a_peak(name, peak):
    assert bf16_peak(name) == peak


def test_without_a_gpu_one_line_says_what_is_missing(tmp_path):
    ran = python("-m", "bench.gpu", "--out", str(tmp_path / "gpu.json"), CUDA_VISIBLE_DEVICES="")
    assert ran.returncode == 2
    (line,) = ran.stderr.strip().splitlines()
    assert line.startswith(f"error: torch {torch.__version__}")
    assert "--device cpu --tiny" in line
    assert not list(tmp_path.iterdir())
