"""Each import contract is broken on purpose in a copy and reported; no modules import in a circle."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "rfmeta_dist"

LAYERS = "data flows one way"
RULES = "learning rules do not know each other"
READERS = "what plans, stores and reads knows no torch"
JUDGING = "judging is handed a detector, and does not know how it was made"
SCORING = "what scoring will stand on knows no torch"
DEPLOYING = "a deployed model is scored in the base installation"
CLAIMING = "a run is checked and claimed before Ray or torch is imported"
TUNING = "a study is planned and decided without torch, and without the code that trains"
RETRAINING = "a retraining is watched and judged without Ray and torch"
RAY = "ray only in cluster"
DEEPSPEED = "deepspeed only in its strategy"
# Who imports what, and the contracts that each alone must name it.
PLANTS = [
    ("evaluation.judge", "ray", {JUDGING, RAY}),
    ("evaluation.judge", "deepspeed", {JUDGING, DEEPSPEED}),
    ("evaluation.judge", "rfmeta_dist.training.loop", {JUDGING}),
    ("report.page", "torch", {JUDGING}),
    ("methods.rules.no_meta", "rfmeta_dist.methods.rules.rfmeta", {RULES}),
    ("storage.local", "rfmeta_dist.data.shards.manifest", {LAYERS}),
    ("data.reading.stream", "torch", {READERS}),
    ("data.reading.stream", "webdataset", {READERS}),
    ("core.seeds", "torch", {READERS, SCORING}),
    ("config.load", "torch", {READERS, SCORING}),
    ("storage.s3", "torch", {READERS, SCORING}),
    ("ingest.face", "torch", {SCORING}),
    ("ingest.crop", "torch", {SCORING}),
    ("deploy.package", "torch", {DEPLOYING}),
    ("deploy.package", "pyarrow", {DEPLOYING}),
    ("deploy.scorer", "ray", {DEPLOYING, RAY}),
    ("deploy.package", "rfmeta_dist.export.deployment", {LAYERS, DEPLOYING}),
    ("cluster.prepare", "ray", {CLAIMING}),
    ("tuning.proposals", "torch", {TUNING}),
    ("tuning.space", "rfmeta_dist.training.loop", {TUNING}),
    ("retrain.registry", "torch", {RETRAINING}),
    ("retrain.registry", "onnxruntime", {RETRAINING}),
]


def linted(folder: Path) -> dict[str, str]:
    """What lint-imports says of the package in a folder: for each contract `KEPT`, or how it is broken."""
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as f; f()",
        "--no-cache",
    ]
    ending = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
    kept = dict.fromkeys(re.findall(r"^(.+?) KEPT$", ending.stdout, re.MULTILINE), "KEPT")
    broken = re.findall(r"^(.+?) BROKEN$", ending.stdout, re.MULTILINE)
    parts = re.split(r"^(.+)\n-+\n", ending.stdout.partition("Broken contracts")[2], flags=re.MULTILINE)
    found = kept | {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name in broken}
    assert len(found) == len(kept) + len(broken) > 0, ending.stdout + ending.stderr
    assert (ending.returncode == 0) == (not broken)
    return found


def copy(folder: Path) -> Path:
    """The package and its contracts, in a folder of their own."""
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def plant(folder: Path, module: str, imported: str) -> None:
    """Let a module import another one."""
    path = folder / PACKAGE / f"{module.replace('.', '/')}.py"
    path.write_text(f"{path.read_text()}\n\nimport {imported}\n")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of a copy in which every violation is planted."""
    folder = copy(tmp_path_factory.mktemp("broken"))
    for module, imported, _ in PLANTS:
        plant(folder, module, imported)
    return linted(folder)


def test_the_package_as_it_is_keeps_every_contract(tmp_path: Path) -> None:
    found = linted(copy(tmp_path))
    assert set(found.values()) == {"KEPT"}
    assert {name for *_, names in PLANTS for name in names} <= set(found)


@pytest.mark.parametrize(("module", "imported", "names"), PLANTS, ids=[f"{m}-{i}" for m, i, _ in PLANTS])
def test_a_violation_is_named_by_its_contract(
    broken: dict[str, str], module: str, imported: str, names: set[str]
) -> None:
    line = re.compile(rf"{PACKAGE}\.{re.escape(module)} -> {re.escape(imported)} \(l\.\d+\)")
    assert {name for name in names if line.search(broken[name])} == names


# In a process of its own: in this one the package is imported already, and would be found instead of the copy.
CIRCLES = """
import json, sys, grimp
graph = grimp.build_graph(sys.argv[1], exclude_type_checking_imports=True, cache_dir=None)
assert len(graph.modules) > 100
ways = [
    [module, *chain]
    for module in sorted(graph.modules)
    for imported in graph.find_modules_directly_imported_by(module)
    if (chain := graph.find_shortest_chain(imported, module))
]
print(json.dumps(ways))
"""


def circles(folder: Path) -> list[list[str]]:
    """Modules that import one another in a circle, in functions too: each way around it."""
    command = [sys.executable, "-c", CIRCLES, PACKAGE]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    ending = subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, timeout=120)
    ways: list[list[str]] = json.loads(ending.stdout)
    return ways


def test_no_module_imports_itself_in_a_circle(tmp_path: Path) -> None:
    assert circles(ROOT) == []
    plant(copy(tmp_path), "storage.errors", "rfmeta_dist.storage.store")
    found = circles(tmp_path)
    assert ["rfmeta_dist.storage.errors", "rfmeta_dist.storage.store"] in [way[:2] for way in found]
