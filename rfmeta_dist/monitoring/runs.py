"""Compute the figures of runs: of a single one, or of all runs of a folder such as those of a leave-one-out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from statistics import fmean
from typing import Any

from rfmeta_dist.monitoring.holders import Holders
from rfmeta_dist.monitoring.samples import Sample, one_of
from rfmeta_dist.runs import starts
from rfmeta_dist.runs.folder import MODEL, read_config
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store, open_store

CONFIG, EVALUATION = "config.yaml", "evaluation.json"
TRAINING, STOPPED, TRAINED, JUDGED = "training", "stopped", "trained", "judged"
STATES = (TRAINING, STOPPED, TRAINED, JUDGED)


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes:
        target: its target domain; "" if it has none.
        state: `training` if it has no model and a process works on it, `stopped` if none does, `trained` if it
            has a model, `judged` if it was judged on its target too.
        method: name of its method; "" if it was not judged.
        figures: `hter` and `auc` on the target by video, as fractions; empty if it was not judged.
        planned: number of steps that it is to train.
    """

    target: str
    state: str
    method: str
    figures: Mapping[str, float]
    planned: int


def stand(folder: Store, names: Sequence[str], holders: Holders) -> Standing:
    """Look at a run.

    Args:
        folder: the run's folder.
        names: the names of its objects.
        holders: the leases that were seen before.

    Raises:
        RunError: its configuration is damaged.
        StorageError: the folder cannot be read.
    """
    target, planned = _planned(folder.url, folder.read(CONFIG))
    if EVALUATION in names:
        judged = json.loads(folder.read(EVALUATION))
        video = judged["figures"]["video"]
        figures = {name.lower(): float(video[name]["value"]) for name in ("HTER", "AUC")}
        return Standing(target, JUDGED, str(judged["method"]), figures, planned)
    if MODEL in names:
        return Standing(target, TRAINED, "", {}, planned)
    return Standing(target, TRAINING if holders.working(folder) else STOPPED, "", {}, planned)


@lru_cache(maxsize=10_000)
def _planned(folder: str, content: bytes) -> tuple[str, int]:  # noqa: ARG001
    """Return target and number of steps of a run. A configuration that has not changed is not checked again."""
    config = read_config(open_store(folder))
    steps = config.training.steps if config.method.facts.kind == "gradient" else 0  # others have no steps
    return config.data.target or "", steps


def one(name: str, folder: Store, names: Sequence[str], holders: Holders) -> list[Sample]:
    """Return the figures of a run.

    Args:
        name: the run's name, its label.
        folder: the run's folder.
        names: the names of its objects.
        holders: the leases that were seen before.

    Raises:
        RunError: its configuration is damaged.
        StorageError: the folder cannot be read.
    """
    found = stand(folder, names, holders)
    labels = {"run": name, "target": found.target}
    begun = _starts(folder)
    bad = {part.rsplit("-worker-")[0] for part in names if part.startswith("not_finite/")}
    samples = [
        *one_of("rfmeta_run_state", found.state, STATES, "state", **labels),
        Sample("rfmeta_run_steps", _newest(names), labels),
        Sample("rfmeta_run_steps_planned", found.planned, labels),
        Sample("rfmeta_run_starts", len(begun), labels),
        Sample("rfmeta_run_started_time_seconds", seconds(begun[-1]["time"]) if begun else 0.0, labels),
        Sample("rfmeta_run_not_finite_steps", len(bad), labels),
    ]
    judged = {**labels, "method": found.method}
    return [
        *samples,
        *(Sample(f"rfmeta_run_{figure}", value, judged) for figure, value in found.figures.items()),
    ]


def many(name: str, found: Sequence[Standing]) -> list[Sample]:
    """Return the figures of all runs of a folder, which has a series for each target and not for each run.

    Args:
        name: the folder's name, its label.
        found: how its runs stand.
    """
    samples = []
    for target in sorted({run.target for run in found}):
        runs, labels = [run for run in found if run.target == target], {"folder": name, "target": target}
        counted = Counter(run.state for run in runs)
        samples += [Sample("rfmeta_runs", counted[state], {**labels, "state": state}) for state in STATES]
        judged = [run for run in runs if run.state == JUDGED]
        for method in sorted({run.method for run in judged}):
            for figure in ("hter", "auc"):
                mean = fmean(run.figures[figure] for run in judged if run.method == method)
                samples.append(Sample(f"rfmeta_runs_{figure}", mean, {**labels, "method": method}))
    return samples


def seconds(moment: str) -> float:
    """Return a time in ISO 8601 as a Unix time."""
    return datetime.fromisoformat(moment).timestamp()


def _newest(names: Sequence[str]) -> int:
    """Return the step of the newest checkpoint that was written completely; 0 if there is none."""
    folders = (name.partition("/") for name in names if name.startswith("step-"))
    return max((int(folder[5:]) for folder, _, file in folders if file == "state.json"), default=0)


def _starts(folder: Store) -> list[dict[str, Any]]:
    """Return the lines of starts.jsonl that are whole; the last one may have been cut off."""
    try:
        lines = folder.read(starts.NAME).decode(errors="replace").splitlines()
    except MissingError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
