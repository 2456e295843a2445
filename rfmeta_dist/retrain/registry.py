"""Define the registry of a model: numbered versions, two aliases, and tags. Two backends implement it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Alias = Literal["champion", "challenger"]


@dataclass(frozen=True)
class Version:
    """One registered version of a model.

    Attributes:
        number: from 1.
        package: place of its deployment package (deploy/package.py), a folder or s3:// prefix.
        tags: facts by name: `package` is the SHA-256 of its deploy.json, `attempt` the folder of the attempt
            that trained it, `audit` the head of the audit log when it was registered, ….
    """

    number: int
    package: str
    tags: Mapping[str, str]


class Registry(Protocol):
    """Versions of one model, and which of them are champion and challenger.

    Every method may raise a StorageError, which names the registry and a remedy.
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
