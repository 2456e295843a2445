"""Find what a job's working directory and modules would upload, by the rules of Ray's own client.

Ray leaves out .git, .venv, venv and __pycache__, what .gitignore and .rayignore list, and what `excludes` of
the runtime environment lists. It packs the rest into a zip file without compression, and sends that in one
request.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import ConfigError

SHOWN = 5  # largest files that are named
HEADERS = 30 + 46  # bytes in a zip file for each of its members, besides twice its name
TRAILER = 22  # bytes at the end of a zip file


@dataclass(frozen=True)
class Package:
    """One file or folder of this machine that is sent to the cluster.

    Attributes:
        field: `working_dir` or `py_modules`.
        place: path of the file or folder, as the job spec gives it.
        files: number of files.
        size: size of the package in bytes.
        largest: names and sizes in bytes of the largest files, largest first.
    """

    field: str
    place: str
    files: int
    size: int
    largest: tuple[tuple[str, int], ...]


def packages(runtime_env: dict[str, Any]) -> list[Package]:
    """Return the packages that the submission of a job with this runtime environment uploads.

    Raises:
        ConfigError: a file cannot be read, a link leads to a folder that contains it, or a package is larger
            than Ray's dashboard accepts.
        ModuleNotFoundError: Ray is not installed, and a folder would have to be looked through.
    """
    excludes = runtime_env.get("excludes", [])
    found: list[Package] = []
    if (place := runtime_env.get("working_dir")) is not None:
        found += _package("working_dir", place, excludes)
    for place in runtime_env.get("py_modules", []):
        found += _package("py_modules", place, excludes)
    for package in found:
        _require_size(package)
    return found


def _package(field: str, place: str, excludes: list[str]) -> Iterator[Package]:
    path = Path(place)
    if "://" in place:  # the nodes of the cluster fetch it themselves
        return
    if path.is_file():
        size = path.stat().st_size
        yield Package(field, place, 1, size, ((path.name, size),))
        return
    sizes = dict(_members(path.absolute(), excludes, default=field == "working_dir"))
    prefix = f"{path.absolute().name}/" if field == "py_modules" else ""
    names = sum(len(f"{prefix}{name}".encode()) for name in sizes)
    files = {name: size for name, size in sizes.items() if not name.endswith("/")}
    largest = sorted(files.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    size = sum(sizes.values()) + HEADERS * len(sizes) + 2 * names + TRAILER
    yield Package(field, place, len(files), size, tuple(largest))


def _members(folder: Path, excludes: list[str], *, default: bool) -> list[tuple[str, int]]:
    """Return name and size of each file that Ray packs, and of each empty folder, as `name/`."""
    from ray._private.ray_constants import RAY_RUNTIME_ENV_IGNORE_GITIGNORE, get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    found: list[tuple[str, int]] = []

    def take(path: Path) -> None:
        name = str(path.relative_to(folder))
        if path.is_dir():
            if path.is_symlink() and path.resolve() in path.parents:
                raise ConfigError(
                    f"the link {path} leads to a folder that contains it: Ray would pack its files many times",
                    f"list {name} under excludes in spec.runtimeEnvYAML",
                )
            if next(path.iterdir(), None) is None:
                found.append((f"{name}/", 0))
        elif path.is_file():
            if not os.access(path, os.R_OK):
                raise ConfigError(
                    f"{path} cannot be read, and would be part of the job's working directory",
                    f"change its mode, or list {name} under excludes in spec.runtimeEnvYAML",
                )
            found.append((name, path.stat().st_size))

    rules = [*(get_runtime_env_default_excludes() if default else []), *excludes]
    ignore = os.environ.get(RAY_RUNTIME_ENV_IGNORE_GITIGNORE, "0") != "1"
    try:
        _dir_travel(folder, [_get_excludes(folder, rules)], take, include_gitignore=ignore, logger=_Silent())
    except OSError as error:
        raise ConfigError(
            f"the working directory cannot be read: {error}", "change its mode, or list it under excludes"
        ) from error
    return found


class _Silent:
    """A logger for Ray's walk through a folder that logs nothing."""

    def info(self, *_: Any) -> None:
        pass

    error = info


def _require_size(package: Package) -> None:
    from ray._private.ray_constants import DASHBOARD_CLIENT_MAX_SIZE as LIMIT

    if package.size <= LIMIT:
        return
    largest = ", ".join(f"{name} ({mib(size)})" for name, size in package.largest)
    what = "working directory" if package.field == "working_dir" else "module"
    raise ConfigError(
        f"the {what} {package.place} is too large to send: {package.files} files make a package of "
        f"{mib(package.size)}, and Ray's dashboard accepts {LIMIT >> 20} MiB; the largest are {largest}",
        "list files that the job does not need in .gitignore or under excludes in spec.runtimeEnvYAML, or set "
        f"{package.field} to the URL of a .zip",
    )


def mib(size: int) -> str:
    """Return a number of bytes in KiB or MiB, such as `2.5 MiB`."""
    return f"{size / (1 << 10):.1f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.1f} MiB"
