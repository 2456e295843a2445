"""Define the registry of a model: numbered versions, two aliases, and tags. Two backends implement it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from rfmeta_dist.core.errors import RunError

Alias = Literal["champion", "challenger"]
CHAMPION: Alias = "champion"
CHALLENGER: Alias = "challenger"
Batch = tuple[str, str]
PACKAGE = "package"  # the tag that identifies what is registered


@dataclass(frozen=True)
class Version:
    """One registered version of a model.

    Attributes:
        number: from 1.
        package: place of its deployment package (deploy/package.py), a folder or s3:// prefix.
        tags: facts by name, all of them texts: `package` is the SHA-256 of its deploy.json, `attempt` the place
            of the attempt that trained it, `identity` stands for (data, code, configuration), `batches` is a
            JSON list of [domain, batch], `verdict` and `scores` are the SHA-256 of the attempt's verdict.json
            and scores.parquet, `code` is the state of the code, `audit` the head of the audit log when the
            version was registered, `created` the time in ISO 8601, UTC, `trace` the trace ids of the processes
            that worked on the attempt.
    """

    number: int
    package: str
    tags: Mapping[str, str]

    @property
    def identity(self) -> str:
        """Return what stands for its (data, code, configuration); empty if it has no such tag."""
        return self.tags.get("identity", "")

    @property
    def batches(self) -> frozenset[Batch]:
        """Return the (domain, batch) pairs that it was trained on."""
        return frozenset((domain, batch) for domain, batch in json.loads(self.tags.get("batches", "[]")))


class Registry(Protocol):
    """Versions of one model, and which of them are champion and challenger.

    Every method may raise a StorageError, which names the registry and a remedy. `tag` and `set_alias` raise a
    RunError if there is no version of the number. Nothing is imported or contacted before the first call.
    """

    @property
    def place(self) -> str:
        """Return where the versions are kept, without credentials."""
        ...

    def versions(self) -> list[Version]:
        """Return all versions, by number; [] if there are none."""
        ...

    def register(self, package: str, tags: Mapping[str, str]) -> Version:
        """Register a package, or return the version that has the same tag `package` already."""
        ...

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; its other tags stay."""
        ...

    def alias(self, name: Alias) -> int | None:
        """Return the number of the version that an alias names; None if it names none."""
        ...

    def set_alias(self, name: Alias, number: int | None) -> None:
        """Let an alias name another version, or none."""
        ...


def find(registry: Registry, number: int) -> Version:
    """Return one version.

    Raises:
        RunError: the registry has no version of this number.
        StorageError: the registry cannot be read.
    """
    found = next((version for version in registry.versions() if version.number == number), None)
    if found is None:
        raise unknown_version(registry, number)
    return found


def unknown_version(registry: Registry, number: int) -> RunError:
    """Return the error for a number that no version has."""
    return RunError(
        f"{registry.place} has no version {number}", "list the versions: rfmeta models ls RETRAIN.yaml"
    )
