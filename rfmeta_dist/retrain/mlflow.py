"""Keep a registry in MLflow as model versions with tags and aliases. The client is mlflow-skinny."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from rfmeta_dist.core.errors import StorageError
from rfmeta_dist.core.mlflow_client import SQLITE, mlflow_client
from rfmeta_dist.retrain.registry import PACKAGE, Alias, Version, unknown_version

_PAGE = 1000
_ABSENT = "RESOURCE_DOES_NOT_EXIST"
_PRESENT = "RESOURCE_ALREADY_EXISTS"
# File systems that end with the container. The folder of an emptyDir volume is named so by Kubernetes.
_PASSING, _EMPTY_DIR = ("overlay", "tmpfs", "ramfs"), "kubernetes.io~empty-dir"


class MlflowRegistry:
    """Versions and aliases of one registered model in MLflow.

    Args:
        address: `https://…` of a server, or `sqlite:////path/of/a.db`. User and password of a server are in
            MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
        name: name of the registered model; it is created with its first version.
    """

    def __init__(self, address: str, name: str) -> None:
        self._address, self._name = address, name

    @property
    def place(self) -> str:
        """Return the address of MLflow and the name of the model."""
        return f"the model {self._name} in MLflow at {self._address}"

    def versions(self) -> list[Version]:
        """Return all versions, by number; [] if there are none."""
        with self._explained():
            return self._found(f"name = '{self._name}'")

    def register(self, package: str, tags: Mapping[str, str]) -> Version:
        """Register a package, or return the version that has the same tag `package` already.

        MLflow cannot create a version on the condition that there is none of this package. So if two processes
        have registered the same package at the same time, the later of the two versions is deleted again.
        """
        with self._explained():
            same = f"name = '{self._name}' and tags.{PACKAGE} = '{tags[PACKAGE]}'"
            if found := self._found(same):
                return found[0]
            self._make_model()
            made = self._client.create_model_version(self._name, source=package, tags=dict(tags))
            first = self._found(same)[0]
            if first.number != int(made.version):
                self._client.delete_model_version(self._name, str(made.version))
            return first

    def tag(self, number: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version; its other tags stay."""
        with self._explained(number):
            for name, value in tags.items():
                self._client.set_model_version_tag(self._name, str(number), name, value)

    def alias(self, name: Alias) -> int | None:
        """Return the number of the version that an alias names; None if it names none."""
        from mlflow.exceptions import MlflowException

        with self._explained():
            try:
                aliases = self._client.get_registered_model(self._name).aliases
            except MlflowException as error:
                if error.error_code != _ABSENT:
                    raise
                return None
            return int(aliases[name]) if name in aliases else None  # a server answers with texts

    def set_alias(self, name: Alias, number: int | None) -> None:
        """Let an alias name another version, or none."""
        if number is None:
            if self.alias(name) is not None:
                with self._explained():
                    self._client.delete_registered_model_alias(self._name, name)
            return
        with self._explained(number):
            self._client.set_registered_model_alias(self._name, name, str(number))

    def _make_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != _PRESENT:
                raise

    def _found(self, query: str) -> list[Version]:
        found, token = [], None
        while True:
            page = self._client.search_model_versions(query, max_results=_PAGE, page_token=token)
            found += [Version(int(one.version), one.source, dict(one.tags)) for one in page]
            token = page.token
            if not token:
                return sorted(found, key=lambda version: version.number)

    @cached_property
    def _client(self) -> Any:
        if self._address.startswith(SQLITE):
            require_lasting(Path(self._address.removeprefix(SQLITE)))
        return mlflow_client(self._address)

    @contextmanager
    def _explained(self, number: int | None = None) -> Iterator[None]:
        """Convert an error of MLflow into one of ours."""
        try:
            yield
        except _faults() as error:
            code = getattr(error, "error_code", "")
            if code == _ABSENT and number is not None:
                raise unknown_version(self, number) from error
            raise StorageError(
                f"{self.place} cannot be used: {str(error).splitlines()[0]}", _remedy(code, self._address)
            ) from error


def _faults() -> tuple[type[Exception], ...]:
    """Return the errors that MLflow raises for reasons outside this program."""
    from mlflow.exceptions import MlflowException

    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:  # needed for a database, not for a server
        return MlflowException, OSError
    return MlflowException, SQLAlchemyError, OSError


def _remedy(code: str, address: str) -> str:
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return (
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to a user who may edit registered models"
        )
    if address.startswith(SQLITE):
        return "check that the file and its folder can be written, and that the disk has free space"
    return "check that the server runs, and the address registry.mlflow; a server needs packages at s3://…"


def require_lasting(database: Path, mounts: str | None = None) -> None:
    """Refuse a database in a Kubernetes pod on a disk that is deleted with the pod.

    Args:
        database: path of the file; it need not exist.
        mounts: content of /proc/self/mountinfo; read from there if not given.

    Raises:
        StorageError: this process runs in a pod, and the file's disk is the container's own or an emptyDir.
    """
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return
    text = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    found = [mount for mount in map(_mount, text.splitlines()) if database.is_relative_to(mount[0])]
    place, root, kind = max(found, key=lambda mount: len(mount[0].parts), default=(Path("/"), "", "overlay"))
    if kind in _PASSING or _EMPTY_DIR in root:
        raise StorageError(
            f"the registry sqlite:///{database} is on a disk that is deleted with this pod ({place}, {kind}), "
            "and all versions with it",
            "set registry.mlflow to the address of a server, leave it out (versions are then objects in "
            "registry.place), or mount a PersistentVolumeClaim there",
        )


def _mount(line: str) -> tuple[Path, str, str]:
    """Return where a line of mountinfo mounts, the folder in the mounted file system, and its kind."""
    fields, _, rest = line.partition(" - ")
    root, place = fields.split()[3:5]
    return Path(place.replace("\\040", " ")), root, rest.split()[0]
