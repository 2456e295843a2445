"""Keep a registry as objects in a store: an object for each version, and one for each alias.

versions/000001.json     {"number": 1, "package": …, "tags": {…}}, created once; only its tags are replaced
aliases/champion.json    {"number": 1}, or null if the alias names no version
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.retrain.registry import PACKAGE, Alias, Version, unknown_version
from rfmeta_dist.storage.api import Store
from rfmeta_dist.storage.errors import AlreadyExistsError, ChangedError, MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent

_VERSIONS = "versions"
_VERSION, _ALIAS = ("number", "package", "tags"), ("number",)


class StoreRegistry:
    """Versions and aliases of one model in a folder of a store.

    Args:
        store: the folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def place(self) -> str:
        """Return the URL of the folder."""
        return self._store.url

    def versions(self) -> list[Version]:
        """Return all versions, by number; [] if there are none."""
        return [self._read(name) for name in self._store.list(_VERSIONS)]

    def register(self, package: str, tags: Mapping[str, str]) -> Version:
        """Register a package, or return the version that has the same tag `package` already.

        Of two processes that register at the same time, one gets the next number. The other one then reads the
        versions again, and gets a later number, or the same version if both register the same package.
        """
        require_put_if_absent(self._store)
        while True:
            there = self.versions()
            if found := next((one for one in there if one.tags.get(PACKAGE) == tags[PACKAGE]), None):
                return found
            made = Version(there[-1].number + 1 if there else 1, package, dict(tags))
            with suppress(AlreadyExistsError):
                self._store.create(_name(made.number), _bytes(vars(made)))
                return made

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; its other tags stay."""
        name = _name(number)
        while True:
            try:
                data, tag = self._store.read_tagged(name)
            except MissingError:
                raise unknown_version(self, number) from None
            fields = _fields(self._store, name, data)
            fields["tags"] = {**fields["tags"], **tags}
            with suppress(ChangedError):
                self._store.replace(name, _bytes(fields), tag)
                return

    def alias(self, name: Alias) -> int | None:
        """Return the number of the version that an alias names; None if it names none."""
        try:
            data = self._store.read(_alias(name))
        except MissingError:
            return None
        number: int | None = _fields(self._store, _alias(name), data, _ALIAS)["number"]
        return number

    def set_alias(self, name: Alias, number: int | None) -> None:
        """Let an alias name another version, or none."""
        if number is not None and not self._store.exists(_name(number)):
            raise unknown_version(self, number)
        data = _bytes({"number": number})
        while True:
            with suppress(AlreadyExistsError, ChangedError):
                try:
                    tag = self._store.read_tagged(_alias(name))[1]
                except MissingError:
                    self._store.create(_alias(name), data)
                else:
                    self._store.replace(_alias(name), data, tag)
                return

    def _read(self, name: str) -> Version:
        return Version(**_fields(self._store, name, self._store.read(name)))


def _fields(store: Store, name: str, data: bytes, keys: Collection[str] = _VERSION) -> dict[str, Any]:
    """Return the content of an object of the registry, which has these fields."""
    with suppress(ValueError):
        fields = json.loads(data)
        if isinstance(fields, dict) and fields.keys() == set(keys):
            return fields
    raise StorageError(
        f"{store.url}/{name} is damaged: it is not what rfmeta writes there",
        "restore the object from a backup or an older version of the bucket",
    )


def _bytes(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, indent=1).encode()


def _name(number: int) -> str:
    return f"{_VERSIONS}/{number:06}.json"


def _alias(name: Alias) -> str:
    return f"aliases/{name}.json"
