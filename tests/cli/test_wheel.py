"""What the wheel holds, unpacked into a folder of its own and used from another, outside the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import rfmeta_dist

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def rfmeta(site: Path, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the wheel's package, in a folder."""
    code = "import sys; sys.argv[0] = 'rfmeta'; from rfmeta_dist.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(site)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_wheel_prints_the_examples(site, tmp_path):
    for name, place in {"demo": "jobs/configs", "leave_one_out": "jobs", "M": "shards/generated"}.items():
        printed = rfmeta(site, tmp_path, "example", name)
        assert printed.stdout == (ROOT / place / f"{name}.yaml").read_text(encoding="utf-8"), printed.stderr


def test_the_wheel_writes_the_examples_into_an_empty_folder(site, tmp_path):
    ended = rfmeta(site, tmp_path, "init")
    assert ended.returncode == 0, ended.stderr
    assert {p.relative_to(tmp_path / "jobs") for p in (tmp_path / "jobs").rglob("*.yaml")} == {
        p.relative_to(ROOT / "jobs") for p in (ROOT / "jobs").rglob("*.yaml")
    }


def test_the_wheel_is_of_this_version_typed_and_under_its_licence(site, tmp_path):
    (about,) = site.glob("*.dist-info")
    metadata = message_from_string((about / "METADATA").read_text(encoding="utf-8"))
    assert rfmeta(site, tmp_path, "--version").stdout == f"rfmeta {rfmeta_dist.__version__}\n"
    assert metadata["Version"] == rfmeta_dist.__version__
    assert (site / "rfmeta_dist/py.typed").exists()
    assert (about / "licenses/LICENSE").exists()
    assert not [p for p in site.iterdir() if p not in (site / "rfmeta_dist", about)]


def test_a_shell_completes_commands_and_options(site, tmp_path):
    asked = {"_RFMETA_COMPLETE": "complete_bash", "COMP_WORDS": "rfmeta do", "COMP_CWORD": "1"}
    assert rfmeta(site, tmp_path, **asked).stdout.split() == ["doctor"]
    asked |= {"COMP_WORDS": "rfmeta init --f", "COMP_CWORD": "2"}
    assert rfmeta(site, tmp_path, **asked).stdout.split() == ["--force"]


def test_the_files_about_the_project_name_this_version():
    now = re.escape(rfmeta_dist.__version__)
    assert re.search(rf"^version: {now}$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert re.search(rf"^## {now}\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
