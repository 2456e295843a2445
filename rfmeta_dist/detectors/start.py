"""Open the trained model that a training begins with (`training.start`), and record which one it was.

start.json    SHA-256 of that model's package.json, its place, and the domains that it was trained on. Written
              at the run's first start. The run's fingerprint has the hash, so another model that is put at the
              same place later is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.config.within import domain_of
from rfmeta_dist.core.digests import OWN
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.detectors import package
from rfmeta_dist.detectors.package import Contents
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.store import Store, open_store

FILE = "start.json"
GRADIENT = "gradient"  # the kind of detector whose weights a learning rule trains
_SHAPES = ("backbone", "width")  # the fields of `model` that decide the shapes of the weights


@dataclass(frozen=True)
class Start:
    """The model that a training begins with.

    Attributes:
        package: SHA-256 of its package.json.
        place: URL of its package.
        domains: the domains that it was trained on, or that a model before it was, sorted.
    """

    package: str
    place: str
    domains: tuple[str, ...]

    @classmethod
    def of(cls, model: Contents) -> Start:
        """Return what a run records of a model."""
        before = model.about.get("start") or {}
        domains = {*model.about.get("data", {}), *before.get("domains", ())}
        return cls(model.sha256, model.url, tuple(sorted(domains)))

    @property
    def facts(self) -> dict[str, Any]:
        """Return the fields of package.json of a model that was trained further from this one."""
        return {"parent": self.package, "start": asdict(self)}


def open_start(config: Config) -> Contents:
    """Read the model that `training.start` names, check its hashes and that its weights fit the run's networks.

    Args:
        config: a run's, with `training.start`: the folder of a model's package, or of a run that has one.

    Raises:
        ConfigError: there is no such model, it is damaged or has no hashes, its networks are others than the
            run's, or it was trained on the run's target, which must stay unseen. Names the field.
        StorageError: the place cannot be read.
    """
    assert config.training.start is not None
    field, folder = f"training.start={config.training.start}", open_store(config.training.start)
    places = [place for place in (folder, folder.sub("model")) if place.exists(package.ABOUT)]
    if not places:
        raise ConfigError(
            f"{field}: there is no trained model, neither as {package.ABOUT} nor as model/{package.ABOUT}",
            "give the folder of a trained run or of its model, on S3 or on a disk that all machines of the "
            "cluster share; or remove training.start to begin with random weights",
        )
    try:
        model = package.read(places[0])
    except RunError as error:
        raise ConfigError(
            f"{field}: {error.problem}", "restore the model from a backup, or give another one"
        ) from error
    if "files" not in model.about or OWN not in model.about:
        raise ConfigError(
            f"{field} was written by a version that stored no hashes, so it cannot be checked",
            "give a model of a later version",
        )
    _require_networks(field, model, config)
    require_unseen(config, Start.of(model))
    return model


def _require_networks(field: str, model: Contents, config: Config) -> None:
    if model.kind != GRADIENT:
        raise ConfigError(
            f"{field} is a model of kind {model.kind}, but a training begins with one of kind {GRADIENT}",
            "give a model that `rfmeta train` made",
        )
    networks = model.detector.get("networks", {})
    for name in _SHAPES:
        theirs, ours = networks.get(name), getattr(config.model, name)
        if theirs != ours:
            raise ConfigError(
                f"{field} is a model with {name} {theirs}, but the run has model.{name}={ours}",
                f"set model.{name}={theirs}, or give another model",
            )


def require_unseen(config: Config, start: Start) -> None:
    """Check that the run's target is none of the domains that its first weights were trained on.

    Raises:
        ConfigError: it is one of them, so figures on it would not be of an unseen domain.
    """
    target = config.data.target
    if target is not None and domain_of(target) in start.domains:
        raise ConfigError(
            f"training.start: the model at {start.place} was trained on {domain_of(target)}, which is the "
            "run's target and must stay unseen",
            "give a model that was not trained on this domain, or set data.target to another one or to null",
        )


def recorded(folder: Store) -> Start | None:
    """Return the model that a run began with, from the run's folder; None if the run began with random weights.

    Raises:
        RunError: start.json is damaged.
        StorageError: the folder cannot be read.
    """
    try:
        found = json.loads(folder.read(FILE))
        return Start(str(found["package"]), str(found["place"]), tuple(found["domains"]))
    except MissingError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder.url}/{FILE} is damaged, so it is not known which model the run began with",
            "restore the file from a copy, or start a new run with --set run.name=…",
        ) from error


def look(config: Config, folder: Store, *, begun: bool) -> Start | None:
    """Check the model that a run begins with, before the run starts. Nothing is written.

    Args:
        config: the run's.
        folder: the run's.
        begun: True if the run has a checkpoint or a model. The first weights are then not read any more, and
            may have been deleted.

    Returns:
        What the run records of the model; None if the run has no `training.start`.

    Raises:
        ConfigError: see `open_start`.
        RunError: there is another model at the place than at the run's first start.
        StorageError: the place or the folder cannot be read.
    """
    if config.training.start is None:
        return None
    before = recorded(folder)
    if before is None:
        return Start.of(open_start(config))
    require_unseen(config, before)
    if not begun:
        _require_same(config, before, open_start(config))
    return before


def add(folder: Store, start: Start) -> None:
    """Record the model that a run begins with, unless it is recorded.

    Raises:
        RunError: the run is recorded to begin with another model; or start.json is damaged.
        StorageError: the folder cannot be read or written.
    """
    try:
        folder.create(FILE, (json.dumps(asdict(start), indent=1) + "\n").encode())
    except AlreadyExistsError:
        before = recorded(folder)
        if before is None or before.package != start.package:
            raise RunError(
                f"run {folder.url} was started by two processes at the same moment with different models",
                "give the same command again, which then begins with the model of the first process",
            ) from None


def facts_of(folder: Store) -> Mapping[str, Any]:
    """Return the fields of package.json that say what a run's model was trained further from; often none.

    Raises:
        RunError: start.json is damaged.
        StorageError: the folder cannot be read.
    """
    start = recorded(folder)
    return {} if start is None else start.facts


def read_weights(config: Config, folder: Store) -> Contents:
    """Read the model that a run is recorded to begin with, with all checks. Every worker calls this.

    Raises:
        ConfigError: see `open_start`.
        RunError: there is another model at the place than at the run's first start.
        StorageError: the place or the run's folder cannot be read.
    """
    model, before = open_start(config), recorded(folder)
    if before is None:
        raise RunError(
            f"run {folder.url} lacks {FILE}, so it is not known which model it began with",
            "give the same `rfmeta train` command again",
        )
    _require_same(config, before, model)
    return model


def _require_same(config: Config, before: Start, model: Contents) -> None:
    if model.sha256 != before.package:
        raise RunError(
            f"training.start={config.training.start} holds the model {model.sha256[:12]}, but the run was "
            f"started with the model {before.package[:12]}",
            "restore that model there, or start a new run with --set run.name=…",
        )
