"""Read and check a job spec, which is a RayJob manifest as KubeRay uses it, before a cluster is contacted.

The fields that say what to run are used. Those that describe how KubeRay makes and deletes clusters have no
meaning on a cluster that runs already; they are accepted, and `Job.ignored` names them. A job spec must not
contain credentials: the nodes of the cluster have them in their environment.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rfmeta_dist.cluster.jobs.manifest import (
    COMPARE,
    ENVIRONMENT,
    Manifest,
    override_of,
    parsed,
    put,
    read_manifest,
    scalar,
)
from rfmeta_dist.config.words import NULLS, read_words, typed
from rfmeta_dist.core.credentials import in_command, in_text, is_secret
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.manifests.models.ray import JobSpec

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
    activeDeadlineSeconds: int | None = Field(None, ge=1)  # noqa: N815


# Fields of a RayJob for KubeRay alone.
KUBERAY = tuple(sorted(JobSpec.model_fields.keys() - Spec.model_fields.keys()))


class Environment(BaseModel):
    """The fields of runtimeEnvYAML whose values are texts: names of files, and environment variables."""

    env_vars: dict[str, str] = {}
    working_dir: str | None = None
    py_modules: list[str] = []
    excludes: list[str] = []


@dataclass(frozen=True)
class Job:
    """A job that can be submitted to a cluster.

    Attributes:
        name: the manifest's metadata.name; begins the job's identifier.
        spec: what to run, and with which resources.
        runtime_env: the content of spec.runtimeEnvYAML, as Ray takes it.
        ignored: names of the manifest's fields, and of further manifests in its file, for Kubernetes alone.
        mapped_resources: whether spec.entrypointResources is a mapping, where KubeRay wants a text of JSON.
        own_environment: whether an override has changed spec.runtimeEnvYAML, so that the file has another one.
    """

    name: str
    spec: Spec
    runtime_env: dict[str, Any]
    ignored: tuple[str, ...] = ()
    mapped_resources: bool = False
    own_environment: bool = False


Part = TypeVar("Part", bound=BaseModel)


def read(path: Path, overrides: Sequence[str] = (), words: Sequence[str] = ()) -> Job:
    """Read a RayJob manifest. A value is read as text, unless `Spec` declares a number.

    Args:
        path: the file.
        overrides: texts of the form `field=value`, such as `spec.backoffLimit=2`.
        words: words to append to the entrypoint; each is quoted for the shell.

    Raises:
        ConfigError: the file is missing or not a RayJob, has an unknown field or a value that does not fit,
            names a folder that does not exist, or contains a credential.
    """
    manifest = read_manifest(path, overrides)
    name = _checked(path, "metadata", Metadata, manifest.tree.get("metadata")).name
    given = manifest.tree.get("spec")
    fields = dict(given) if isinstance(given, dict) else given
    ignored = [f"spec.{field}" for field in KUBERAY if isinstance(fields, dict) and field in fields]
    mapped = False
    if isinstance(fields, dict):
        for field in KUBERAY:
            fields.pop(field, None)
        mapped = isinstance(fields.get("entrypointResources"), dict)
        if isinstance(resources := fields.get("entrypointResources"), str):  # KubeRay has JSON in a text
            fields["entrypointResources"] = parsed(
                path, read_words, resources.encode(), "spec.entrypointResources"
            )
    spec = _checked(path, "spec", Spec, fields)
    if words:
        spec = spec.model_copy(update={"entrypoint": f"{spec.entrypoint.rstrip()} {shlex.join(words)}"})
    environment = _runtime_env(path, spec.runtimeEnvYAML.encode(), manifest)
    _require_no_credentials(path, spec, environment)
    changed = any(override_of(text).steps[:2] == ("spec", "runtimeEnvYAML") for text in overrides)
    return Job(name, spec, environment, (*ignored, *manifest.others), mapped, changed)


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
            f"{path}: field {name} is unknown",
            f"use one of {', '.join(sorted([*part.model_fields, *KUBERAY]))}",
        )
    raise ConfigError(
        f"{path} is not a RayJob manifest: {name}: {first['msg']}", f"correct {name} in this file; {COMPARE}"
    )


def _runtime_env(path: Path, text: bytes, manifest: Manifest) -> dict[str, Any]:
    """Return the runtime environment of the job's processes: files, packages, environment variables."""
    field = ENVIRONMENT
    tree = parsed(path, read_words, text, field) or {}
    # Other parts, such as the settings of pip, have the types that YAML gives them.
    others = parsed(path, yaml.safe_load, text, field) or {}
    for override in manifest.environment:
        if isinstance(tree, dict):
            put(tree, override)
            put(others, override._replace(value=scalar(override.value)))
    words = _checked(path, field, Environment, tree)
    for place in filter(None, [words.working_dir]):
        _require_place(path, f"{field}.working_dir", place)
    for place in words.py_modules:
        _require_place(path, f"{field}.py_modules", place)
    kept = {name: value for name, value in others.items() if name not in Environment.model_fields}
    return kept | words.model_dump(exclude_defaults=True)


def _require_no_credentials(path: Path, spec: Spec, environment: dict[str, Any]) -> None:
    variables = environment.get("env_vars", {})
    found = [
        *(name for name in variables if is_secret(name)),
        *(f"spec.metadata.{name}" for name in spec.metadata if is_secret(name)),
    ]
    if (name := in_command(spec.entrypoint)) is not None:
        found.append(f"{name} in spec.entrypoint")
    if found:
        raise ConfigError(
            f"{path} sets {found[0]}, a credential, which everyone who can read the job spec could use",
            "remove it, and set it in the environment of the cluster's nodes",
        )
    places = {"spec.entrypoint": spec.entrypoint, "spec.metadata": spec.metadata, ENVIRONMENT: environment}
    for place, tree in places.items():
        for name, text in _texts(tree, place):
            if (what := in_text(text)) is not None:
                raise ConfigError(
                    f"{path}: {name} has {what}, a credential, which everyone who can read the job spec could "
                    "use",
                    "remove it; a variable such as ${NAME}, which the cluster's nodes have in their "
                    "environment, may stand in its place where pip or a shell reads the text",
                )


def _texts(tree: Any, name: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the value of each text in a tree of mappings and lists."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _texts(value, f"{name}.{key}")
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _texts(value, f"{name}.{number}")
    elif isinstance(tree, str):
        yield name, tree


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
