"""Read and write a run's folder: its configuration, what the run read, and its results.

config.yaml         the configuration; only the target, the place of the data and `tracking` may change later
config-first.yaml   the configuration of the first start, if it was changed
manifests.json      the fingerprint of the manifest that the run reads, for each domain (pins.py)
start.json          the model that the run begins with, if `training.start` names one (detectors/start.py)
ledger.jsonl        a line for each read of labelled data: when, why, which domain and split
lease.json          the process that writes into the folder now (storage/lease.py)
starts.jsonl        a line for each start of the run: code, machine and workers (runs/starts.py)
step-0000100/       checkpoints; the newest `training.keep` are kept (training/checkpoint.py)
metrics.jsonl       a line for each step, written when training ends
streams.json        what was read for each domain and how long training waited, summed over all starts that
                    were not killed
model/              the package (detectors/package.py)
fitted/             the fitted classifier of a run without steps, until its model is made (recipes/fitted.py)
evaluation.json, scores.parquet, examples.parquet, report.html
tensorboard/        event files, if `tracking.tensorboard` asks for them (tracking/tensorboard.py)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

import yaml

from rfmeta_dist.config import load as configuration
from rfmeta_dist.config.left_out import HARDWARE
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.folders import folders, remove_folder
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store

FIRST_CONFIG = "config-first.yaml"
MODEL = "model/package.json"  # the last file of a model that is written, so a run that has it is trained
# These fields may change after the start: training does not depend on them, and data may be moved.
CORRECTABLE = {
    "data": ("target", "prefix"),
    "evaluation": ("target_split",),
    "tracking": ("mlflow", "experiment", "tensorboard"),
}
# These fields may differ too: a run's folder may be moved, and a run may continue on other hardware.
MAY_DIFFER = {
    "run.folder",
    "data.cache_gb",
    "evaluation.protocol",
    "training.checkpoint_every",
    "training.keep",
    *(f"{section}.{field}" for section, fields in CORRECTABLE.items() for field in fields),
    *(f"training.{field}" for field in HARDWARE),
}


def open_folder(config: Config) -> Store:
    """Return the store of a run's folder."""
    return open_store(f"{config.run.folder.rstrip('/')}/{config.run.name}")


def claim(folder: Store, config: Config) -> bool:
    """Claim the folder for this configuration. Return True if it holds an earlier start of the same run.

    Raises:
        RunError: the folder belongs to a run with another configuration; the error names the different fields.
        StorageError: the folder cannot be written, or its store lacks put-if-absent.
    """
    require_put_if_absent(folder)
    try:
        folder.create("config.yaml", configuration.dump(config).encode())
        return False
    except AlreadyExistsError:
        require_same(folder, config)
        return True


def is_started(folder: Store, config: Config) -> bool:
    """Return True if the folder holds an earlier start of the same run, and False if it holds no run.

    Raises:
        RunError: the folder belongs to a run with another configuration; the error names the different fields.
    """
    if not folder.exists("config.yaml"):
        return False
    require_same(folder, config)
    return True


def require_same(folder: Store, config: Config) -> None:
    """Check that the run in the folder has this configuration, except for fields in `MAY_DIFFER`.

    Raises:
        RunError: it has another configuration; the error names the different fields.
    """
    earlier = read_config(folder)
    steps, before = config.training.steps, earlier.training.steps
    if steps != before:
        raise RunError(
            f"run {folder.url} was started for {before} steps, and resuming it cannot change that to {steps}",
            f"set training.steps={before}, or start a new run with --set run.name=…",
        )
    differing = [f for f in configuration.fields_that_differ(config, earlier) if f not in MAY_DIFFER]
    if differing:
        raise RunError(
            f"run {folder.url} exists with another configuration (different: {', '.join(differing)})",
            "start a new run with --set run.name=…, or use the values in the run's config.yaml",
        )


def corrections(folder: Store, config: Config) -> list[str]:
    """Return the dotted names of the fields that `correct` would change. Nothing is written.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    earlier = read_config(folder)
    return configuration.fields_that_differ(_corrected(earlier, config), earlier)


def correct(folder: Store, config: Config) -> None:
    """Write the target and the place of the data from `config` into the run's config.yaml.

    Raises:
        RunError: there is no run, or its configuration is damaged.
        StorageError: the folder cannot be written.
    """
    earlier = read_config(folder)
    corrected = _corrected(earlier, config)
    if corrected == earlier:
        return
    with suppress(AlreadyExistsError):
        folder.create(FIRST_CONFIG, configuration.dump(earlier).encode())
    folder.write("config.yaml", configuration.dump(corrected).encode())


def _corrected(earlier: Config, config: Config) -> Config:
    sections = {
        name: getattr(earlier, name).model_copy(update={f: getattr(getattr(config, name), f) for f in fields})
        for name, fields in CORRECTABLE.items()
    }
    return earlier.model_copy(update=sections)


def first_config(folder: Store) -> Config:
    """Return the configuration of the run's first start.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    return read_config(folder, FIRST_CONFIG if folder.exists(FIRST_CONFIG) else "config.yaml")


def read_config(folder: Store, name: str = "config.yaml") -> Config:
    """Return the configuration of an existing run.

    Args:
        folder: the run's.
        name: file name; the current configuration if not given.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    try:
        return configuration.check(yaml.safe_load(folder.read(name)), f"{folder.url}/{name}")
    except MissingError:
        raise RunError(
            f"there is no run at {folder.url}", "give the folder that `rfmeta train` printed"
        ) from None
    except (yaml.YAMLError, ConfigError) as error:
        raise RunError(
            f"{folder.url}/{name} is damaged: {error}",
            "restore the file from a copy, or start a new run with --set run.name=…",
        ) from error


def require_model(folder: Store) -> None:
    """Check that training has finished.

    Raises:
        RunError: the run has no model yet.
    """
    if not folder.exists(MODEL):
        raise RunError(
            f"run {folder.url} has no model yet, because its training has not finished",
            "give the same `rfmeta train` command again, which continues the training, and wait for its end",
        )


def has_checkpoint(folder: Store) -> bool:
    """Return True if the run has a checkpoint that was written completely. It may have been damaged since."""
    steps = [name for name in folders(folder) if name.startswith("step-")]
    return any(folder.exists(f"{name}/state.json") for name in steps)


def record(  # the ledger's columns
    folder: Store,
    purpose: str,
    domain: str,
    split: str,
    samples: int,
    manifest: str,
    *,
    sealed: bool,
    once: bool = False,
    **further: object,
) -> None:
    """Add a line to the ledger about one read of a domain's labelled samples.

    Args:
        folder: the run's.
        purpose: what the labels are read for.
        domain: name of the domain.
        split: split of the domain, or `all`.
        samples: number of samples.
        manifest: fingerprint of the domain's manifest.
        sealed: True if the domain is the target.
        once: write no line if the ledger has one of the same read. A model that is judged again and again
            during its training is recorded once.
        further: further columns, such as the names of the models if several are judged.
    """
    read: dict[str, object] = {
        "purpose": purpose,
        "domain": domain,
        "split": split,
        "samples": samples,
        "manifest": manifest,
        "sealed": sealed,
        **further,
    }
    if not (once and any(read.items() <= json.loads(line).items() for line in _ledger(folder).splitlines())):
        append(folder, read)


def append(folder: Store, event: Mapping[str, object]) -> None:
    """Add a line to the ledger of a run or study, with the time of now."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), **event}
    folder.write("ledger.jsonl", _ledger(folder) + json.dumps(line, ensure_ascii=False).encode() + b"\n")


def _ledger(folder: Store) -> bytes:
    try:
        return folder.read("ledger.jsonl")
    except MissingError:
        return b""


def remove_checkpoints(folder: Store) -> None:
    """Delete all checkpoints of a run that is not trained on.

    Raises:
        StorageError: the folder cannot be read or written.
    """
    for name in folders(folder):
        if name.startswith("step-"):
            folder.delete(f"{name}/state.json")  # first, so that after an interruption the rest does not count
            remove_folder(folder, name)


def add_streams(folder: Store, totals: Mapping[str, StreamTotals]) -> None:
    """Add the totals of the domains' readers in this start of the run to the totals of earlier starts."""
    try:
        before = json.loads(folder.read("streams.json"))
    except MissingError:
        before = {}
    for domain, found in totals.items():
        before[domain] = asdict(StreamTotals(**before.get(domain, {})) + found)
    folder.write("streams.json", json.dumps(before, indent=1).encode())
