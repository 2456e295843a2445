"""constraints.txt: one exact version of each package, for any machine, that fits what pyproject.toml asks."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = {
    name: found
    for name, separator, found in (line.partition("==") for line in LINES if not line.startswith("#"))
    if separator
}


PIN = r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*"


def asked() -> list[Requirement]:
    """What the base, every extra and the developers' part ask for."""
    extras = PROJECT["optional-dependencies"]
    texts = [*PROJECT["dependencies"], *(text for name in extras if name != "all" for text in extras[name])]
    return [Requirement(text) for text in texts]


def test_every_line_is_one_exact_version_without_a_local_label_or_an_address():
    lines = [line for line in LINES if line and not line.startswith("#")]
    wrong = [line for line in lines if not re.fullmatch(PIN, line)]
    assert wrong == []  # nor an option, an editable project, a URL or a marker
    assert len(PINS) == len(lines) > 100
    assert "://" not in "".join(LINES)


def test_what_pyproject_asks_for_is_there_in_a_version_that_fits():
    for requirement in asked():
        pinned = PINS[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pinned), f"{requirement} and {pinned}: run make lock"


def test_what_a_package_of_the_file_needs_itself_is_in_the_file_too():
    # What a package needs is read from the installed one, if that has the file's version. torch is left out,
    # because its build for GPUs needs packages that its build for processors does not need.
    extras = {canonicalize_name(requirement.name): requirement.extras for requirement in asked()}
    checked = 0
    for name, pinned in PINS.items():
        try:
            if name == "torch" or version(name) != pinned:
                continue
        except PackageNotFoundError:
            continue
        for requirement in map(Requirement, requires(name) or ()):
            chosen = ({"extra": extra} for extra in ("", *extras.get(name, ())))
            if requirement.marker is None or any(map(requirement.marker.evaluate, chosen)):
                found = PINS.get(canonicalize_name(requirement.name))
                assert found, f"{name} needs {requirement.name}, which has no version: run make lock"
                assert requirement.specifier.contains(found, prereleases=True), (
                    f"{name}: {requirement}, {found}"
                )
                checked += 1
    assert checked > 50


def test_a_renewed_file_has_the_packages_of_its_environment_without_labels():
    # torch is built for processors here, or for one version of CUDA, and has a local label then.
    script = ROOT / "infra/lock.py"
    printed = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout
    lines = [line for line in printed.splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(PIN, line)] == []
    assert f"torch=={version('torch').partition('+')[0]}" in lines
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    assert not [line for line in lines if line.startswith(("pip==", "rfmeta-dist=="))]


def test_setup_installs_from_the_file():
    makefile = (ROOT / "Makefile").read_text()
    installs = re.findall(r"^\t\$\(BIN\)/pip install .*", makefile, re.M)
    assert len(installs) == 2  # of the set-up, and of what builds the site
    assert all(" -c constraints.txt " in install for install in installs)
    assert re.search(r"^\.venv/\.ready: .*constraints\.txt", makefile, re.M)  # a renewed file is installed
