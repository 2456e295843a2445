"""Find the RayJob in a file of Kubernetes manifests, and apply the values that `--set` gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from rfmeta_dist.config.words import read_documents, read_words
from rfmeta_dist.core.errors import ConfigError
from rfmeta_dist.manifests.text import LARGEST

START = "write one to start from with: rfmeta example leave_one_out > job.yaml"
COMPARE = "to compare with, this prints a complete job spec: rfmeta example leave_one_out"
TEXTS = ("metadata", "entrypoint", "runtimeEnvYAML", "entrypointResources")  # fields of spec that hold texts
ENVIRONMENT = "spec.runtimeEnvYAML"  # a text of YAML in the manifest


class Override(NamedTuple):
    """One value from the command line.

    Attributes:
        steps: the field's name, split at its dots.
        value: a text; a mapping or list if it was given in brackets or braces.
    """

    steps: tuple[str, ...]
    value: Any

    @property
    def native(self) -> Any:
        """Return the value as YAML reads it in the file: a number or a truth, unless the field is a text."""
        text_field = self.steps[0] == "metadata" or self.steps[1] in TEXTS
        return self.value if text_field else scalar(self.value)

    @property
    def inside_environment(self) -> bool:
        """Return True if the field is one inside the text of spec.runtimeEnvYAML."""
        return ".".join(self.steps[:2]) == ENVIRONMENT and len(self.steps) > 2


class Manifest(NamedTuple):
    """The RayJob of a file.

    Attributes:
        tree: its fields; all values are mappings, lists and texts. Overrides have been applied.
        others: kind and name of each further manifest in the file, such as `Secret rfmeta-token`.
        environment: the overrides of fields inside spec.runtimeEnvYAML, which is a text; their steps begin
            inside it.
    """

    tree: dict[str, Any]
    others: list[str]
    environment: list[Override]


def read_manifest(path: Path, overrides: Sequence[str] = ()) -> Manifest:
    """Read a file that holds one RayJob, and apply overrides such as `spec.backoffLimit=2`.

    Raises:
        ConfigError: the file is missing, not YAML, or holds no RayJob or several; or an override does not fit.
    """
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise ConfigError(f"job spec {path} {what}", START)
    documents = parsed(path, read_documents, path.read_bytes())
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise ConfigError(f"job spec {path} is not a mapping of fields to values", START)
    jobs = [document for document in documents if document.get("kind") == "RayJob"]
    if not jobs:
        raise ConfigError(
            f"{path} has kind {documents[0].get('kind')}, but a job spec has kind RayJob",
            f"set kind to RayJob, or {START}",
        )
    if len(jobs) > 1:
        raise ConfigError(
            f"{path} describes {len(jobs)} jobs, and one is submitted at a time",
            "write each RayJob into a file of its own",
        )
    others = [f"{d.get('kind')} {_name(d)}" for d in documents if d is not jobs[0]]
    inside = []
    for override in map(override_of, overrides):
        if override.inside_environment:
            inside.append(Override(override.steps[2:], override.value))
        else:
            put(jobs[0], override)
    return Manifest(jobs[0], others, inside)


def parsed(path: Path, parse: Callable[[str], Any], content: bytes, field: str = "") -> Any:
    """Parse the whole file, or the text of one of its fields. Errors show no values: one may be a credential.

    Raises:
        ConfigError: the content is not UTF-8 or not YAML.
    """
    what = f"job spec {path}: the text of {field}" if field else f"job spec {path}"
    try:
        tree = parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not text in UTF-8", "save the file as UTF-8") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date such as 2026-13-45 is a ValueError
        mark = getattr(error, "problem_mark", None)
        where = f": line {mark.line + 1}" if mark else ": it holds an impossible date or number"
        where = ": it is nested too deeply" if isinstance(error, RecursionError) else where
        where += " of that text" if mark and field else ""
        raise ConfigError(
            f"{what} is not YAML{where}",
            f"correct its indentation, quotation marks and brackets, and fields that occur twice; {COMPARE}",
        ) from error
    if _too_large(tree):
        raise ConfigError(f"{what} has more than {LARGEST} values", "write it without aliases such as *name")
    return tree


def _too_large(tree: Any) -> bool:
    """Return True if a tree has more than `LARGEST` values. Aliases count each time they are used."""
    left, count = [tree], 0
    while left and count <= LARGEST:
        here, count = left.pop(), count + 1
        left += here.values() if isinstance(here, dict) else here if isinstance(here, list) else ()
    return count > LARGEST


def scalar(value: Any) -> Any:
    """Return the number or truth that a text is in YAML; otherwise the value itself."""
    if not isinstance(value, str):
        return value
    try:
        meant = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError):
        return value
    return meant if isinstance(meant, bool | int | float) else value


def put(tree: Any, override: Override) -> None:
    """Set one field of a tree of mappings and lists. Missing mappings on the way are made.

    Raises:
        ConfigError: a step on the way is a value without fields, or a place that a list does not have.
    """
    name, here = ".".join(override.steps), tree
    for number, step in enumerate(override.steps):
        last = number == len(override.steps) - 1
        key: Any = step
        if isinstance(here, list):
            if not (step.isdigit() and int(step) < len(here)):
                raise ConfigError(
                    f"--set {name}: the list has no place {step}", "give the number of a place, from 0"
                )
            key = int(step)
        elif not isinstance(here, dict):
            above = ".".join(override.steps[:number])
            raise ConfigError(f"--set {name}: {above} is a value and has no fields", f"set {above} itself")
        if last:
            here[key] = override.value
        elif isinstance(here, dict):
            if here.get(key) in (None, ""):
                here[key] = {}
            here = here[key]
        else:
            here = here[key]


def override_of(text: str) -> Override:
    """Return the override that a text of the form `field=value` gives.

    Raises:
        ConfigError: the text is not of this form, or names no field of a manifest's metadata or spec.
    """
    name, equals, value = text.partition("=")
    steps = tuple(name.strip().split("."))
    if not equals or not all(steps):
        raise ConfigError(
            f"--set {name!r} is not of the form FIELD=VALUE", "write for example --set spec.backoffLimit=2"
        )
    if steps[0] not in ("metadata", "spec") or len(steps) < 2:
        raise ConfigError(
            f"--set {name} names no field of the job spec: these begin with metadata. or spec.",
            "write a field such as spec.backoffLimit; words for the job's own command come after --, as in: "
            "rfmeta submit FILE -- --set FIELD=VALUE",
        )
    if value.startswith(("[", "{", '"', "'")):
        return Override(steps, parsed(Path(f"--set {name}"), read_words, value.encode("utf-8", "replace")))
    return Override(steps, value)


def _name(document: dict[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else None
