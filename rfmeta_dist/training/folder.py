"""A run's folder: what it was configured to do, what it read, and what came of it.

config.yaml         written when the run starts; only what it is judged on may be corrected later
config-first.yaml   as the run was started, if that was corrected
manifests.json      which state of each domain the run reads (pins.py)
ledger.jsonl        every read of labelled data: when, why, which domain and split
step-0000100/       checkpoints, kept by Ray Train, newest two
metrics.jsonl       one line a step, when training ends
streams.json        by domain, what its reader read and waited for; over all starts that ended by themselves
model/              the package (evaluation/package.py)
evaluation.json, scores.parquet, examples.parquet, report.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime

import yaml

from rfmeta_dist.config import load as configuration
from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import ConfigError, RunError
from rfmeta_dist.data.metrics import Metrics
from rfmeta_dist.storage.errors import AlreadyExistsError, MissingError
from rfmeta_dist.storage.store import Store, open_store

MODEL = "model/package.json"  # written last: a run that has it is trained
FIRST = "config-first.yaml"
# A run may be moved, and go on with other hardware: the result is the same up to the order of summation.
HARDWARE = ("workers", "strategy", "zero", "offload", "meta_test", "recompute", "threads", "gpus")
# The target has no part in what is trained, so a run may be judged on another one without training again.
JUDGED_ON = ("data.target", "evaluation.target_split")
MAY_DIFFER = {"run.folder", "data.cache_gb", *JUDGED_ON, *(f"training.{field}" for field in HARDWARE)}


def open_folder(config: Config) -> Store:
    """The store of a run's folder."""
    return open_store(f"{config.run.folder.rstrip('/')}/{config.run.name}")


def claim(folder: Store, config: Config) -> bool:
    """Take the folder for this configuration; true if an earlier start of the same run is there to resume.

    Raises:
        RunError: the folder belongs to a run of another configuration; the fields that differ are named.
    """
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
            f"run {folder.url} was started for {before} steps, a resume cannot make them {steps}",
            f"set training.steps={before}, or start a new run with --set run.name=…",
        )
    differing = [f for f in configuration.fields_that_differ(config, earlier) if f not in MAY_DIFFER]
    if differing:
        raise RunError(
            f"run {folder.url} exists with another configuration (other: {', '.join(differing)})",
            "start a new run with --set run.name=…, or go back to the values in its config.yaml",
        )


def judge_on(folder: Store, config: Config) -> bool:
    """Correct in the run's config.yaml what it is judged on; true if something changed.

    Raises:
        RunError: there is no run, or its configuration is damaged.
        StorageError: the folder cannot be written.
    """
    earlier = read_config(folder)
    corrected = earlier.model_copy(
        update={
            "data": earlier.data.model_copy(update={"target": config.data.target}),
            "evaluation": earlier.evaluation.model_copy(
                update={"target_split": config.evaluation.target_split}
            ),
        }
    )
    if corrected == earlier:
        return False
    with suppress(AlreadyExistsError):
        folder.create(FIRST, configuration.dump(earlier).encode())
    folder.write("config.yaml", configuration.dump(corrected).encode())
    return True


def as_begun(folder: Store, config: Config) -> Config:
    """Return the configuration with the target that the run was started for: its checkpoints may name that one.

    Raises:
        RunError: config-first.yaml is damaged.
    """
    if not folder.exists(FIRST):
        return config
    target = read_config(folder, FIRST).data.target
    return config.model_copy(update={"data": config.data.model_copy(update={"target": target})})


def read_config(folder: Store, name: str = "config.yaml") -> Config:
    """The configuration of an existing run.

    Raises:
        RunError: there is no run, or its configuration is damaged.
    """
    try:
        return configuration.check(yaml.safe_load(folder.read(name)), f"{folder.url}/{name}")
    except MissingError:
        raise RunError(
            f"there is no run at {folder.url}", "give the folder that `rfmeta train` named"
        ) from None
    except (yaml.YAMLError, ConfigError) as error:
        raise RunError(f"{folder.url}/{name} is damaged: {error}", "start a new run") from error


def require_model(folder: Store) -> None:
    """Check that training has finished.

    Raises:
        RunError: the run has no model yet.
    """
    if not folder.exists(MODEL):
        raise RunError(f"run {folder.url} has no model yet", "let `rfmeta train` finish first")


def fingerprint(config: Config, manifests: Mapping[str, str]) -> str:
    """What a checkpoint must agree with: everything that decides the weights, and the data's fingerprints."""
    decides = config.model_dump(mode="json", include={"data", "model", "method", "training"})
    for field in (*HARDWARE, "checkpoint_every"):
        del decides["training"][field]
    del decides["data"]["cache_gb"]
    whole = json.dumps([decides, dict(sorted(manifests.items()))], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


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


def add_streams(folder: Store, totals: Mapping[str, Metrics]) -> None:
    """Add what the domains' readers did in this start of the run to what they did in earlier ones."""
    try:
        before = json.loads(folder.read("streams.json"))
    except MissingError:
        before = {}
    for domain, found in totals.items():
        before[domain] = asdict(Metrics(**before.get(domain, {})) + found)
    folder.write("streams.json", json.dumps(before, indent=1).encode())
