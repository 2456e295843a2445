"""Collect from a run's folder what trackers show: metrics of steps, figures, parameters and files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rfmeta_dist.config.schema import Config
from rfmeta_dist.core.errors import RfmetaError
from rfmeta_dist.core.types import UNITS, StepRow
from rfmeta_dist.report import page, records
from rfmeta_dist.runs.folder import MODEL
from rfmeta_dist.storage.errors import MissingError
from rfmeta_dist.storage.store import Store

RATES = ("HTER", "AUC", "FAR", "BPCER", "ACER", "APCER_worst", "oracle_EER", "optimism_gap")


@dataclass(frozen=True)
class Record:
    """What is known of a run.

    Attributes:
        rows: the metrics of its steps, in order; empty before the training has ended.
        figures: numbers about its model by name, such as `target/video/HTER`; empty without a model.
        step: the step of that model; 0 without one.
        files: contents of files to keep beside the figures, by name.
    """

    rows: Sequence[StepRow]
    figures: Mapping[str, float]
    step: int
    files: Mapping[str, bytes]


def read(config: Config, folder: Store) -> Record:
    """Read what is known of a run.

    The page among the files shows no faces, because a tracking server has other readers than the data.

    Raises:
        RfmetaError: a file is damaged, or the folder cannot be read.
    """
    about = json.loads(_file(folder, MODEL) or b"{}")
    evaluation = _file(folder, "evaluation.json")
    figures = dict(_of_sources(about))
    if config.data.target is not None and evaluation:
        figures |= _of_target(json.loads(evaluation))
    files = {name: data for name in ("config.yaml", "evaluation.json") if (data := _file(folder, name))}
    if about:
        package = [f"model/{name}" for name in ("package.json", *about["files"])]
        files |= {name: folder.read(name) for name in package}
        files |= _page(config, folder, judged=bool(evaluation))
    return Record(metrics(folder), figures, int(about.get("step", 0)), files)


def metrics(folder: Store) -> list[StepRow]:
    """Return the rows of a finished training's steps; none if it has not ended."""
    return [json.loads(line) for line in _file(folder, "metrics.jsonl").splitlines()]


def numbers(row: StepRow) -> dict[str, float]:
    """Return the numbers of a step that can be plotted, as `train/NAME`; a skipped step has no loss."""
    return {f"train/{name}": float(value) for name, value in row.items() if name != "step" and _finite(value)}


def parameters(config: Config) -> dict[str, str]:
    """Return the fields of a configuration by their dotted names, as texts; without those that are not set."""
    return dict(_flat(config.model_dump(mode="json"), ""))


def _flat(tree: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif value is not None:
            yield f"{before}{name}", value if isinstance(value, str) else json.dumps(value)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_sources(about: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for unit, threshold in about.get("thresholds", {}).items():
        yield f"sources/{unit}/EER", threshold["eer"]
        yield f"sources/{unit}/threshold", threshold["value"]


def _of_target(evaluation: Mapping[str, Any]) -> dict[str, float]:
    found = evaluation["figures"]
    return {f"target/{unit}/{name}": found[unit][name]["value"] for unit in UNITS for name in RATES}


def _page(config: Config, folder: Store, *, judged: bool) -> dict[str, bytes]:
    try:
        if config.data.target is None:
            html = page.render_trained(records.read_trained(folder))
        elif judged:
            html = page.render(replace(records.read_record(folder.read, folder.url), examples=[]))
        else:
            return {}
    except (RfmetaError, ModuleNotFoundError):  # `rfmeta report` says what is wrong
        return {}
    return {"report.html": html.encode()}


def _file(folder: Store, name: str) -> bytes:
    try:
        return folder.read(name)
    except MissingError:
        return b""
