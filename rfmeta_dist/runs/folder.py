"""A run's folder: what it was configured to do, what it read, and what came of it.

config.yaml         written when the run starts; what it is judged on and where its data are may be corrected
config-first.yaml   as the run was started, if that was corrected
manifests.json      which state of each domain the run reads (pins.py)
ledger.jsonl        every read of labelled data: when, why, which domain and split
lease.json          the process that writes here now (storage/lease.py)
starts.jsonl        with what code, machine and workers the run was started, each time (runs/starts.py)
step-0000100/       checkpoints, the newest two (training/checkpoint.py)
metrics.jsonl       one line a step, when training ends
streams.json        by domain, what its reader read and waited for; over all starts that ended by themselves
model/              the package (detectors/package.py)
evaluation.json, scores.parquet, examples.parquet, report.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

import yaml

from rfmeta_dist.config import load as configuration
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.core.totals import StreamTotals
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.requirements import require_put_if_absent
from rfmeta_dist.storage.store import Store, open_store
from rfmeta_dist.runs.fingerprint import HARDWARE

FIRST_CONFIG = "config-first.yaml"
MODEL = "model/package.json"  # written last: a run that has it is trained
# The target has no part in what is trained, so a run may be judged on another one without training again; and
# data may be moved.
CORRECTABLE = {"data": ("target", "prefix"), "evaluation": ("target_split",)}
# A run may be moved, and go on with other hardware.
MAY_DIFFER = {
    "run.folder",
    "data.cache_gb",
    *(f"{section}.{field}" for section, fields in CORRECTABLE.items() for field in fields),
    *(f"training.{field}" for field in HARDWARE),
}


def open_folder(config: Config) -> Store:
    """The store of a run's folder."""
    return open_store(f"{config.run.folder.rstrip('/')}/{config.run.name}")


def claim(folder: Store, config: Config) -> bool:
    """Take the folder for this configuration; true if an earlier start of the same run is there to resume.

    Raises:
        RunError: the folder belongs to a run of another configuration; the fields that differ are named.
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
    """Return True if an earlier start of the same run is in the folder, False if there is no run.

    Raises:
        RunError: the folder belongs to a run of another configuration; the fields that differ are named.
    """
    if not folder.exists("config.yaml"):
        return False
    require_same(folder, config)
    return True


def require_same(folder: Store, config: Config) -> None:
    """Check that the run in the folder is of this configuration, but for what may differ.

    Raises:
        RunError: it is of another; the fields that differ are named.
    """
    earlier = read_config(folder)
    steps, before = config.training.steps, earlier.training.steps
    if steps != before:
        raise RunError(
            f"run {folder.url} was started for {before} steps, and a resume cannot change that to {steps}",
            f"set training.steps={before}, or start a new run with --set run.name=…",
        )
    differing = [f for f in configuration.fields_that_differ(config, earlier) if f not in MAY_DIFFER]
    if differing:
        raise RunError(
            f"run {folder.url} exists with another configuration (different: {', '.join(differing)})",
            "start a new run with --set run.name=…, or go back to the values in its config.yaml",
        )


def corrections(folder: Store, config: Config) -> list[str]:
    """Return the fields that `correct` would change; nothing is written.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    earlier = read_config(folder)
    return configuration.fields_that_differ(_corrected(earlier, config), earlier)


def correct(folder: Store, config: Config) -> None:
    """Correct in the run's config.yaml what it is judged on and where its data are.

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
    """The configuration as the run was started, before anything of it was corrected.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    return read_config(folder, FIRST_CONFIG if folder.exists(FIRST_CONFIG) else "config.yaml")


def read_config(folder: Store, name: str = "config.yaml") -> Config:
    """The configuration of an existing run.

    Args:
        folder: the run's.
        name: of the file, if another than today's configuration is asked for.

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
        raise RunError(f"{folder.url}/{name} is damaged: {error}", "restore the file from a copy, or start a new run with --set run.name=…") from error


def require_model(folder: Store) -> None:
    """Check that training has finished.

    Raises:
        RunError: the run has no model yet.
    """
    if not folder.exists(MODEL):
        raise RunError(f"run {folder.url} has no model yet", "let `rfmeta train` finish first")


def record(  # the ledger's columns
    folder: Store, purpose: str, domain: str, split: str, samples: int, manifest: str, *, sealed: bool
) -> None:
    """Add a line to the ledger: one read of a domain's labelled samples.

    Args:
        folder: the run's.
        purpose: what the labels were read for.
        domain: which domain.
        split: its split, or `all`.
        samples: how many.
        manifest: fingerprint of the manifest.
        sealed: whether it is the target's.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": purpose,
        "domain": domain,
        "split": split,
        "samples": samples,
        "manifest": manifest,
        "sealed": sealed,
    }
    try:
        before = folder.read("ledger.jsonl")
    except MissingError:
        before = b""
    folder.write("ledger.jsonl", before + json.dumps(line, ensure_ascii=False).encode() + b"\n")


def add_streams(folder: Store, totals: Mapping[str, StreamTotals]) -> None:
    """Add what the domains' readers did in this start of the run to what they did in earlier ones."""
    try:
        before = json.loads(folder.read("streams.json"))
    except MissingError:
        before = {}
    for domain, found in totals.items():
        before[domain] = asdict(StreamTotals(**before.get(domain, {})) + found)
    folder.write("streams.json", json.dumps(before, indent=1).encode())
