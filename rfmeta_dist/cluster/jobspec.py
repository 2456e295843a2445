"""Read and check a job spec, which is a RayJob manifest as KubeRay uses it, before a cluster is contacted.

Only metadata.name and the fields of `Spec` are used. A job spec must not contain credentials: the nodes of the
cluster have them in their environment.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rfmeta_dist.config.words import NULLS, read_words, typed
from rfmeta_dist.core.errors import ConfigError

START = "write one to start from with: rfmeta example leave_one_out > job.yaml"
COMPARE = "to compare with, this prints a complete job spec: rfmeta example leave_one_out"
SECRETS = ("SECRET", "TOKEN", "PASSWORD", "ACCESS_KEY")
ARCHIVES = (".zip", ".jar", ".whl")


class Metadata(BaseModel):
    """The manifest's metadata, of which only the name is used."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")


class Spec(BaseModel):
    """The part of the manifest that says what to run. The field names are those of KubeRay."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    entrypoint: str = Field(pattern=r"\S")
    runtimeEnvYAML: str = ""  # noqa: N815
    entrypointNumCpus: float | None = Field(None, ge=0)  # noqa: N815
    entrypointNumGpus: float | None = Field(None, ge=0)  # noqa: N815
    entrypointResources: dict[str, float] | None = None  # noqa: N815
    metadata: dict[str, str] = {}
    backoffLimit: int = Field(0, ge=0, le=100)  # noqa: N815


class Environment(BaseModel):
    """The fields of runtimeEnvYAML whose values are texts: names of files, and environment variables."""

    env_vars: dict[str, str] = {}
    working_dir: str | None = None
    py_modules: list[str] = []
    excludes: list[str] = []


class Job(BaseModel):
    """A job that can be submitted to a cluster.

    Attributes:
        name: the manifest's metadata.name; begins the job's identifier.
        spec: what to run, and with which resources.
        runtime_env: the content of spec.runtimeEnvYAML, as Ray takes it.
    """

    name: str
    spec: Spec
    runtime_env: dict[str, Any]


Part = TypeVar("Part", bound=BaseModel)


def read(path: Path) -> Job:
    """Read a RayJob manifest. A value is read as text, unless `Spec` declares a number.

    Raises:
        ConfigError: the file is missing or not a RayJob, has an unknown field or a value that does not fit,
            names a folder that does not exist, or contains a credential.
    """
    if not path.is_file():
        raise ConfigError(f"job spec {path} does not exist", START)
    manifest = _parsed(path, read_words, path.read_bytes())
    if not isinstance(manifest, dict):
        raise ConfigError(f"job spec {path} is not a mapping of fields to values", START)
    if manifest.get("kind") != "RayJob":
        raise ConfigError(
            f"{path} has kind {manifest.get('kind')}, but a job spec has kind RayJob",
            f"set kind to RayJob, or {START}",
        )
    name = _checked(path, "metadata", Metadata, manifest.get("metadata")).name
    fields = manifest.get("spec")
    if isinstance(fields, dict) and isinstance(resources := fields.get("entrypointResources"), str):
        # KubeRay has JSON in a text
        fields["entrypointResources"] = _parsed(
            path, read_words, resources.encode(), "spec.entrypointResources"
        )
    spec = _checked(path, "spec", Spec, fields)
    return Job(name=name, spec=spec, runtime_env=_runtime_env(path, spec.runtimeEnvYAML.encode()))


def _parsed(path: Path, parse: Callable[[str], Any], content: bytes, field: str = "") -> Any:
    """Parse the whole file, or the text of one of its fields. Errors show no values, as in `_checked`."""
    what = f"job spec {path}: the text of {field}" if field else f"job spec {path}"
    try:
        return parse(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not text in UTF-8", "save the file as UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-13-45 is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f": line {mark.line + 1}" if mark else ": it holds an impossible date or number"
        where += " of that text" if mark and field else ""
        raise ConfigError(
            f"{what} is not YAML{where}",
            f"correct its indentation, quotation marks and brackets, and fields that occur twice; {COMPARE}",
        ) from error


def _checked(path: Path, where: str, part: type[Part], fields: Any) -> Part:
    """Check a mapping of texts against a model. Errors do not show values, because one may be a credential."""
    if not isinstance(fields, dict):
        raise ConfigError(
            f"{path} is not a RayJob manifest: {where} is not a mapping",
            f"write below {where} a line `field: value` for each of its fields; {COMPARE}",
        )
    given = {
        name: value for name, value in fields.items() if value not in NULLS
    }  # an empty field counts as absent
    try:
        return part.model_validate(typed(given, part))
    except ValidationError as error:
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        name = ".".join(str(step) for step in (where, *first["loc"]))
    if first["type"] == "extra_forbidden":
        raise ConfigError(
            f"{path}: field {name} is unknown", f"use one of {', '.join(sorted(part.model_fields))}"
        )
    raise ConfigError(
        f"{path} is not a RayJob manifest: {name}: {first['msg']}", f"correct {name} in this file; {COMPARE}"
    )


def _runtime_env(path: Path, text: bytes) -> dict[str, Any]:
    """Return the runtime environment of the job's processes: files, packages, environment variables."""
    field = "spec.runtimeEnvYAML"
    words = _checked(path, field, Environment, _parsed(path, read_words, text, field) or {})
    for name in words.env_vars:
        if any(mark in name.upper() for mark in SECRETS):
            raise ConfigError(
                f"{path} sets {name}, a credential, which everyone who can read the job spec could use",
                "remove it, and set it in the environment of the cluster's nodes",
            )
    for place in filter(None, [words.working_dir]):
        _require_place(path, f"{field}.working_dir", place)
    for place in words.py_modules:
        _require_place(path, f"{field}.py_modules", place)
    # Other parts, such as the settings of pip, have the types that YAML gives them.
    others = _parsed(path, yaml.safe_load, text, field) or {}
    kept = {name: value for name, value in others.items() if name not in Environment.model_fields}
    return kept | words.model_dump(exclude_defaults=True)


def _require_place(path: Path, field: str, place: str) -> None:
    """Raise a ConfigError if a field names no folder or archive of this machine. A URL is not looked up."""
    here = Path(place)
    if "://" in place or here.is_dir() or (here.is_file() and place.endswith(ARCHIVES)):
        return
    wrong = "does not exist" if not here.exists() else f"is neither a folder nor a file {', '.join(ARCHIVES)}"
    raise ConfigError(
        f"job spec {path}: {here.absolute()}, which {field} names, {wrong}",
        f"set {field} to a folder, to a .zip file, or to the URL of a .zip file; a relative path begins in the "
        f"folder in which you give this command, {Path.cwd()}",
    )
